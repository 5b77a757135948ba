use oci_spec::image::Platform;

/// Whether an image for `present` runs where `wanted` was asked for; a variant counts only when one was
/// asked for.
#[must_use]
pub fn serves(present: &Platform, wanted: &Platform) -> bool {
    present.os() == wanted.os()
        && present.architecture() == wanted.architecture()
        && (wanted.variant().is_none() || present.variant() == wanted.variant())
}

/// `linux/arm64/v8`, as flags and messages write it.
#[must_use]
pub fn platform_text(platform: &Platform) -> String {
    let variant = platform.variant().as_ref().map(|v| format!("/{v}")).unwrap_or_default();
    format!("{}/{}{variant}", platform.os(), platform.architecture())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_counts_only_when_one_was_asked_for() {
        let mut arm = Platform::default();
        arm.set_os("linux".into()).set_architecture("arm".into()).set_variant(Some("v7".into()));
        let mut any = arm.clone();
        any.set_variant(None);
        assert!(serves(&arm, &any) && !serves(&any, &arm));
        assert_eq!(platform_text(&arm), "linux/arm/v7");
    }
}
