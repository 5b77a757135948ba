mod decide;
pub use decide::{Fate, Version, Why, decide};
