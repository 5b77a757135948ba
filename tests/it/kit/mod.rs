//! What the tests stand on, none of it the product's own code.
//!
//! - [`registry`]: a registry in this process, strict and scriptable. `kit/tests` hold it to its word.
//! - [`image`]: `docker save` archives, OCI layouts and archives with layers of any size.
//! - [`program`]: the built program in an empty environment, and snapshots of what it showed.
//! - [`client`]: a client that does only what it is told.
//!
//! ```ignore
//! #[test]
//! fn a_chunk_is_sent_again_when_the_server_resets() {
//!     let registry = Registry::gitea().behind_nginx().start();
//!     registry.script(Match::method("PATCH").nth(2), Fault::ResetMidBody(100_000));
//!     let folder = folder();
//!     let archive = folder.path().join("web.tar");
//!     image::docker_archive(&archive, &[Image::new("web:1.0").layer(1, 40 << 20)]);
//!
//!     let ran = Program::push_to(&registry).arg(&archive).run().exits(0);
//!
//!     assert!(registry.manifest("giteaadmin/web", "1.0").is_some());
//!     assert_eq!(registry.count("DELETE"), 0);
//!     registry.assert_orderly();
//!     assert_ran!(ran, @"");
//! }
//! ```
//!
//! What goes wrong: [`registry::Fault`] says it request by request; `refuse_connections`, `outage`,
//! `reset_connections`, `greet` and `revoke_tokens` say it for all. A test that does something while the
//! program runs starts it (`Program::start`), waits with `registry.until(...)`, and ends with `Running::wait`.
//!
//! A test that uses the library instead gives it `registry.address()`; both kinds of test may run in a runtime
//! or without one, since the registry has a thread of its own. `assert_orderly` belongs at the end of each.

pub(crate) mod client;
pub(crate) mod image;
pub(crate) mod program;
pub(crate) mod registry;

mod tests;

use tempfile::TempDir;

/// An empty folder, whose path snapshots show as `[TEMP]`.
pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("it-folder-").tempdir().unwrap()
}
