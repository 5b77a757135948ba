//! The same thing many times, at moments that chance chooses: `make soak` takes many, `make test` a few.

mod embedded;
mod killed;
mod load;
mod numbers;
mod remembered;
mod stopped;
mod together;
