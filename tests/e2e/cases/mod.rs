mod servers;

use crate::Case;

pub(crate) fn all() -> impl Iterator<Item = Case> {
    [servers::CASES].into_iter().flatten().copied()
}
