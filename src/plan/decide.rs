use crate::oci::Repository;

/// What the registry said about a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Present,
    Absent,
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
    fn what_is_there_is_skipped_and_what_is_elsewhere_is_mounted() {
        let other: Repository = "a/b".parse().unwrap();
        assert_eq!(decide(Presence::Present, Some(&other)), Decision::Skip);
        assert_eq!(decide(Presence::Absent, Some(&other)), Decision::Mount { from: other.clone() });
        assert_eq!(decide(Presence::Absent, None), Decision::Upload);
    }
}
