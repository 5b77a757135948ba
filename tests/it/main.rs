//! The program and its library against servers in this process.

#[cfg(test)]
mod kit;
#[cfg(test)]
mod registry;
