use std::process::ExitCode;

/// What an exit code stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Class {
    /// Internal, or several images failed for different reasons.
    Mixed,
    Usage,
    /// Nothing found, not an image, or damaged.
    Source,
    Login,
    Cluster,
    Network,
    Refused,
    /// What the registry holds is not what it should hold.
    Difference,
    Interrupted,
    Terminated,
}

impl Class {
    pub(in crate::cli) fn number(self) -> u8 {
        match self {
            Self::Mixed => 1,
            Self::Usage => 2,
            Self::Source => 3,
            Self::Login => 4,
            Self::Cluster => 5,
            Self::Network => 6,
            Self::Refused => 7,
            Self::Difference => 8,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The class of several failures: theirs where it is one, else `Mixed`. `None` for no failure.
    pub(in crate::cli) fn of_all(classes: impl IntoIterator<Item = Self>) -> Option<Self> {
        classes.into_iter().reduce(|all, class| if all == class { all } else { Self::Mixed })
    }
}

impl From<Class> for ExitCode {
    fn from(class: Class) -> Self {
        Self::from(class.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_one_class_keep_it_and_others_are_mixed() {
        assert_eq!(Class::of_all([]), None);
        assert_eq!(Class::of_all([Class::Source, Class::Source]), Some(Class::Source));
        assert_eq!(Class::of_all([Class::Source, Class::Network]), Some(Class::Mixed));
        assert_eq!(Class::of_all([Class::Source, Class::Network, Class::Network]), Some(Class::Mixed));
    }
}
