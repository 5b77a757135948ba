//! The program and its library against servers in this process, and the code against its own rules.

#[cfg(test)]
mod architecture;
#[cfg(test)]
#[cfg(unix)]
mod completion;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod corpus;
#[cfg(test)]
#[cfg(unix)]
mod dispatch;
#[cfg(test)]
mod dist;
#[cfg(test)]
mod faults_table;
#[cfg(test)]
mod hub;
#[cfg(test)]
#[cfg(unix)]
mod install;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod krew;
#[cfg(test)]
mod library;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod packed;
#[cfg(test)]
mod program;
#[cfg(test)]
mod progress;
#[cfg(test)]
mod referrers;
#[cfg(test)]
mod registry;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod soak;
#[cfg(test)]
mod troubleshooting;
#[cfg(test)]
mod watch;
