//! Sources as the command line opens them: files that other tools wrote, and archives made by hand.

mod docker;
mod engines;
mod fake_engine;
mod given;
mod hybrid;
mod kit;
mod manifests;
mod mutated;
mod oci;
mod packed;
mod recalled;
mod refused;
mod search;
mod watched;
