use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;
use crate::child::tests::{until_ended, write_program};

fn folder(script: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_program(&folder.path().join("docker-credential-test"), script);
    folder
}

async fn asked(script: &str) -> Result<Option<Identity>, KeychainError> {
    let folder = folder(script);
    get("test", "r.example:8443", Some(folder.path().as_os_str()), LIMIT).await
}

fn reason(result: Result<Option<Identity>, KeychainError>) -> String {
    match result {
        Err(KeychainError::HelperFailed { helper, reason }) if helper == "docker-credential-test" => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_helper_gets_the_server_on_its_input_and_nothing_but_get() {
    let script = r#"read server; echo "{\"ServerURL\":\"x\",\"Username\":\"$1/$#\",\"Secret\":\"$server\"}""#;
    let expected =
        Identity::Password { username: "get/1".into(), password: Secret::new("r.example:8443".into()) };
    assert_eq!(asked(script).await.unwrap(), Some(expected));
}

#[tokio::test]
async fn a_user_called_token_has_an_identity_token() {
    let script = r#"echo '{"Username":"<token>","Secret":"made-up"}'"#;
    assert_eq!(asked(script).await.unwrap(), Some(Identity::Refresh(Secret::new("made-up".into()))));
}

#[tokio::test]
async fn a_helper_that_has_none_says_so_in_words() {
    assert_eq!(asked("echo 'credentials not found in native keychain'; exit 1").await.unwrap(), None);
    assert_eq!(asked("echo 'credentials not found in native keychain' >&2; exit 1").await.unwrap(), None);
    assert_eq!(asked(r#"echo '{"Username":"","Secret":""}'"#).await.unwrap(), None);
    let other = asked("echo 'credentials not found in native keychain, and more'; exit 1").await;
    assert!(reason(other).contains("and more"));
}

#[tokio::test]
async fn a_helper_that_fails_is_quoted_without_its_control_characters() {
    let reason = reason(asked(r"printf 'locked\033[2J\n' >&2; exit 3").await);
    assert_eq!(reason, "exit status: 3: locked\\u{1b}[2J");
}

#[tokio::test]
async fn what_may_be_a_login_is_never_quoted() {
    for script in [r#"echo '{"Secret":"made-up"'"#, r#"echo '{"Secret":"made-up"}'; exit 1"#, "echo made-up"]
    {
        assert!(!reason(asked(script).await).contains("made-up"), "{script}");
    }
}

#[tokio::test]
async fn endless_output_is_cut() {
    assert_eq!(reason(asked("exec yes").await), "it printed more than 64 KiB");
}

#[tokio::test]
async fn a_helper_that_hangs_is_ended_with_what_it_started() {
    let marks = tempfile::tempdir().unwrap();
    let pid = marks.path().join("pid");
    let folder = folder(&format!("sleep 600 & echo $! > {}; wait", pid.display()));
    let silent =
        get("test", "r", Some(folder.path().as_os_str()), Duration::from_millis(500)).await.unwrap_err();
    assert!(matches!(silent, KeychainError::HelperSilent { .. }));
    until_ended(&pid).await;
}

#[tokio::test]
async fn a_helper_is_looked_for_in_absolute_folders_only() {
    let folder = folder("exit 0");
    let helper = "docker-credential-test";
    let path = |folders: &[&Path]| std::env::join_paths(folders).unwrap();
    assert_eq!(
        located(helper, &path(&[Path::new("/nowhere"), folder.path()])),
        Some(folder.path().join(helper))
    );
    assert_eq!(located(helper, &path(&[Path::new("."), Path::new("")])), None);
    fs::set_permissions(folder.path().join(helper), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(located(helper, &path(&[folder.path()])), None);
    let missing = get("test", "r", None, LIMIT).await.unwrap_err();
    assert_eq!(missing.to_string(), "credential helper `docker-credential-test` is not on PATH");
}

#[test]
fn a_name_of_a_helper_is_no_path() {
    for name in ["osxkeychain", "ecr-login", "a.b_c"] {
        assert!(is_name(name), "{name}");
    }
    for name in ["", "../../x", "a/b", "a b", "a\0", "\u{e9}"] {
        assert!(!is_name(name), "{name:?}");
    }
}
