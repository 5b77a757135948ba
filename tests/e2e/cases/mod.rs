mod access;
mod cluster;
mod completion;
mod content;
mod dist;
mod doctor;
mod engines;
mod faults;
mod guides;
mod helper;
mod logins;
mod prune;
mod referrers;
mod registries;
mod routes;
mod servers;
mod soak;
mod verify;
mod watch;

use crate::Case;

pub(crate) fn all() -> impl Iterator<Item = Case> {
    [
        servers::CASES,
        cluster::CASES,
        content::CASES,
        engines::CASES,
        access::CASES,
        logins::CASES,
        prune::CASES,
        referrers::CASES,
        registries::CASES,
        faults::CASES,
        routes::CASES,
        verify::CASES,
        watch::CASES,
        doctor::CASES,
        helper::CASES,
        completion::CASES,
        soak::CASES,
        guides::CASES,
        dist::CASES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
