pub(crate) mod client;
pub(crate) mod registry;

mod tests;
