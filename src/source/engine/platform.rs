use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::client::{Availability, Image};
use super::export::Wanted;
use crate::oci::{Platform, platform_text, serves};
use crate::port::SourceError;

/// The one platform that is exported of an index that is not whole: all of it Docker 29 exports only where
/// its own platform is there. `None` for everything else, which is exported as it is.
///
/// # Errors
/// `PlatformNotFound` when the platform that was asked for is not there.
pub(super) fn exported<'a>(image: &'a Image, wanted: &Wanted) -> Result<Option<&'a Platform>, SourceError> {
    if image.listed.iter().all(|one| one.availability == Availability::Present) {
        return Ok(None);
    }
    let present = image.listed.iter().filter(|one| one.availability == Availability::Present);
    let present: Vec<&Platform> = present.filter_map(|one| one.platform.as_ref()).collect();
    let serving = |asked: &Platform| present.iter().find(|there| serves(there, asked)).copied();
    match &wanted.platform {
        Some(asked) => serving(asked).map(Some).ok_or_else(|| SourceError::PlatformNotFound {
            source_name: wanted.shown.clone(),
            wanted: platform_text(asked),
            present: present.iter().map(|there| platform_text(there)).collect(),
        }),
        None => Ok(wanted.preferred.iter().find_map(serving).or(present.first().copied())),
    }
}

/// What the user should know of an image of which one platform is exported.
pub(super) fn note(image: &Image, exported: &Platform) -> String {
    let of = |availability: Availability| -> Vec<String> {
        let those = image.listed.iter().filter(|one| one.availability == availability);
        those.filter_map(|one| one.platform.as_ref()).map(platform_text).collect()
    };
    let (missing, present) = (of(Availability::Missing).join(", "), of(Availability::Present));
    let other = if present.len() > 1 { "; `--platform` chooses another one" } else { "" };
    let exported = platform_text(exported);
    format!("its index lists {missing}, which the engine does not have: only {exported} is pushed{other}")
}

/// As Docker's API takes it from version 1.48 on.
pub(super) fn query(platform: &Platform) -> String {
    let mut fields =
        json!({"os": platform.os().to_string(), "architecture": platform.architecture().to_string()});
    if let (Some(variant), Some(fields)) = (platform.variant(), fields.as_object_mut()) {
        fields.insert("variant".to_owned(), variant.as_str().into());
    }
    format!("?platform={}", utf8_percent_encode(&fields.to_string(), NON_ALPHANUMERIC))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::SpoolDir;
    use crate::event::Events;
    use crate::source::engine::client::ListedPlatform;

    fn platform(architecture: &str) -> Platform {
        let mut platform = Platform::default();
        platform.set_os("linux".into()).set_architecture(architecture.into()).set_variant(None);
        platform
    }

    fn image(listed: &[(&str, Availability)]) -> Image {
        let listed = listed.iter().map(|(architecture, availability)| ListedPlatform {
            platform: Some(platform(architecture)),
            availability: *availability,
        });
        Image {
            id: None,
            diff_ids: Vec::new(),
            platform: None,
            names: Vec::new(),
            created: None,
            size: None,
            listed: listed.collect(),
        }
    }

    fn wanted(asked: Option<&str>, preferred: &[&str]) -> Wanted {
        Wanted {
            shown: "docker-daemon:web:1".to_owned(),
            platform: asked.map(platform),
            preferred: preferred.iter().map(|architecture| platform(architecture)).collect(),
            spools: SpoolDir::new(std::env::temp_dir()),
            events: Events::none(),
        }
    }

    #[test]
    fn what_is_whole_is_exported_whole() {
        use Availability::Present;
        for listed in [&[][..], &[("amd64", Present), ("arm64", Present)]] {
            assert_eq!(exported(&image(listed), &wanted(Some("arm64"), &[])).unwrap(), None);
        }
    }

    #[test]
    fn of_what_is_not_whole_the_asked_then_the_preferred_then_any_platform_is_exported() {
        use Availability::{Missing, Present};
        let image = image(&[("amd64", Missing), ("arm64", Present), ("s390x", Present)]);
        for (asked, preferred, expected) in [
            (Some("s390x"), &["arm64"][..], "s390x"),
            (None, &["amd64", "s390x", "arm64"], "s390x"),
            (None, &["amd64"], "arm64"),
        ] {
            let wanted = wanted(asked, preferred);
            assert_eq!(exported(&image, &wanted).unwrap(), Some(&platform(expected)));
        }
        let error = exported(&image, &wanted(Some("amd64"), &[])).unwrap_err();
        assert!(matches!(error, SourceError::PlatformNotFound { present, .. } if present.len() == 2));
    }

    #[test]
    fn what_is_left_out_is_told() {
        use Availability::{Missing, Present};
        let image = image(&[("amd64", Missing), ("arm64", Present), ("s390x", Present)]);
        assert_eq!(
            note(&image, &platform("arm64")),
            "its index lists linux/amd64, which the engine does not have: only linux/arm64 is pushed; \
             `--platform` chooses another one"
        );
    }

    #[test]
    fn a_platform_is_asked_for_as_json() {
        let mut arm = platform("arm");
        arm.set_variant(Some("v7".to_owned()));
        assert_eq!(
            query(&arm),
            "?platform=%7B%22architecture%22%3A%22arm%22%2C%22os%22%3A%22linux%22%2C%22variant%22%3A%22v7%22%7D"
        );
    }
}
