use crate::oci::Repository;

/// What the registry said about a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Present,
    Absent,
}

impl Presence {
    /// What an answer means for a blob of `size` bytes; zero bytes are said where the registry does not tell.
    ///
    /// What has this digest has no other size: either what is there is damaged, or the size that was known
    /// here is not true. Bringing the blob anew mends the one and finds out the other, where to believe it
    /// would leave an image that nobody can pull, and to fail would leave the user nothing to do.
    #[must_use]
    pub fn of(found: Option<u64>, size: u64) -> Self {
        match found {
            Some(found) if found == size || found == 0 => Self::Present,
            Some(_) | None => Self::Absent,
        }
    }
}

/// What becomes of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Skip,
    /// Ask the registry to link it; the same request opens a session where it cannot.
    Mount {
        from: Repository,
    },
    Upload,
}

/// `elsewhere` is another repository of the registry that has the blob.
#[must_use]
pub fn decide(presence: Presence, elsewhere: Option<&Repository>) -> Decision {
    match (presence, elsewhere) {
        (Presence::Present, _) => Decision::Skip,
        (Presence::Absent, Some(from)) => Decision::Mount { from: from.clone() },
        (Presence::Absent, None) => Decision::Upload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_in_another_size_is_not_there() {
        assert_eq!(Presence::of(Some(7), 7), Presence::Present);
        assert_eq!(Presence::of(Some(0), 7), Presence::Present);
        assert_eq!(Presence::of(Some(6), 7), Presence::Absent);
        assert_eq!(Presence::of(None, 7), Presence::Absent);
    }

    #[test]
    fn what_is_there_is_skipped_and_what_is_elsewhere_is_mounted() {
        let other: Repository = "a/b".parse().unwrap();
        assert_eq!(decide(Presence::Present, Some(&other)), Decision::Skip);
        assert_eq!(decide(Presence::Absent, Some(&other)), Decision::Mount { from: other.clone() });
        assert_eq!(decide(Presence::Absent, None), Decision::Upload);
    }
}
