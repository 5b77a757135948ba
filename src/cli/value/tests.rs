use proptest::prelude::*;

use super::*;

#[test]
fn a_registry_has_a_host_and_may_have_a_scheme_a_port_and_a_path() {
    for (text, scheme, authority, path) in [
        ("ghcr.io", None, "ghcr.io", None),
        ("gitea.localhost:8443", None, "gitea.localhost:8443", None),
        ("https://r.example/team/x/", Some(Scheme::Https), "r.example", Some("team/x")),
        ("http://127.0.0.1:5000", Some(Scheme::Http), "127.0.0.1:5000", None),
        ("[::1]:5000/a", None, "[::1]:5000", Some("a")),
    ] {
        let address = registry(text).unwrap();
        let seen =
            (address.scheme, address.authority.as_str(), address.path.as_ref().map(Repository::as_str));
        assert_eq!(seen, (scheme, authority, path), "{text}");
    }
}

#[test]
fn what_is_no_registry_is_refused() {
    for text in ["", "/", "ftp://r", "https://", "r:99999", "r:x", "u@r", "r/UPPER", "r//a", "a b"] {
        assert!(registry(text).is_err(), "{text}");
    }
    assert_eq!(registry("u:p@r"), Err(ValueError::UserInAddress));
}

#[test]
fn durations_have_a_unit() {
    for (text, milliseconds) in [("500ms", 500), ("30s", 30_000), ("2m", 120_000), ("1h", 3_600_000)] {
        assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
    }
    for text in ["", "30", "s", "1.5s", "-1s", "30 s", "1d"] {
        assert_eq!(duration(text), Err(ValueError::Duration), "{text}");
    }
    assert_eq!(duration("0s"), Err(ValueError::Zero));
    assert_eq!(duration("99999999999999999h"), Err(ValueError::TooLarge));
}

#[test]
fn sizes_are_binary_unless_they_say_otherwise() {
    for (text, bytes) in [
        ("1", 1),
        ("16MiB", 16 << 20),
        ("512m", 512 << 20),
        ("1g", 1 << 30),
        ("4k", 4096),
        ("2MB", 2_000_000),
        ("7B", 7),
    ] {
        assert_eq!(size(text).map(NonZeroU64::get), Ok(bytes), "{text}");
    }
    for text in ["", "m", "1.5m", "1 m", "1t"] {
        assert_eq!(size(text), Err(ValueError::Size), "{text}");
    }
    assert_eq!(size("0"), Err(ValueError::Zero));
    assert_eq!(size("99999999999g"), Err(ValueError::TooLarge));
}

#[test]
fn an_address_may_be_given_for_a_host() {
    let v6 = resolve("R.example:443:[::1]").unwrap();
    assert_eq!((v6.host.as_str(), v6.port, v6.address.to_string()), ("r.example", 443, "::1".to_owned()));
    assert!(resolve("r:8443:127.0.0.1").is_ok());
    for text in ["r", "r:443", "r:443:", "r:x:127.0.0.1", "r:0:127.0.0.1", ":1:127.0.0.1", "r:443:host"] {
        assert!(resolve(text).is_err(), "{text}");
    }
}

#[test]
fn a_realm_is_trusted_for_one_registry() {
    let trusted = trusted_realm("r.example:5000=auth.example").unwrap();
    assert_eq!((trusted.registry.as_str(), trusted.realm.as_str()), ("r.example:5000", "auth.example"));
    for text in ["r.example", "=a", "r=", "r=https://a"] {
        assert!(trusted_realm(text).is_err(), "{text}");
    }
}

#[test]
fn a_secret_has_a_namespace_and_a_name() {
    assert_eq!(secret_name("gitea/gitea-credential").unwrap().to_string(), "gitea/gitea-credential");
    for text in ["gitea", "/x", "x/", "a/b/c", "A/b"] {
        assert!(secret_name(text).is_err(), "{text}");
    }
}

#[test]
fn a_platform_is_all_or_one() {
    assert_eq!(platform("all"), Ok(PlatformChoice::All));
    let Ok(PlatformChoice::One(arm)) = platform("linux/arm64/v8") else { panic!("not one platform") };
    assert_eq!(arm.variant().as_deref(), Some("v8"));
    for text in ["", "linux", "linux/", "a/b/c/d", "li nux/arm64"] {
        assert!(platform(text).is_err(), "{text}");
    }
}

#[test]
fn a_new_name_is_valid_and_may_have_a_tag() {
    let named = rename("team/web:1.0").unwrap();
    assert_eq!((named.name.as_str(), named.tag.unwrap().as_str()), ("team/web", "1.0"));
    assert_eq!(rename("web").unwrap().tag, None);
    for text in ["", "Web", "web:", "web:a b", "a//b"] {
        assert!(rename(text).is_err(), "{text}");
    }
}

#[test]
fn an_owner_keeps_its_case() {
    assert_eq!(owner("giteaAdmin"), Ok("giteaAdmin".to_owned()));
    assert!(owner("").is_err());
    assert!(owner("a b").is_err());
}

proptest! {
    #[test]
    fn no_input_panics(text in "\\PC{0,24}") {
        let _ = registry(&text);
        let _ = duration(&text);
        let _ = size(&text);
        let _ = resolve(&text);
        let _ = trusted_realm(&text);
        let _ = platform(&text);
        let _ = rename(&text);
        let _ = owner(&text);
    }
}
