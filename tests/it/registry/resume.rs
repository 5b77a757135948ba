use idpbuilder_push::cache::SessionFolder;

use super::*;

const LAYER: usize = 50 << 20;

/// A client of another run with the same folder.
fn client(registry: &Registry, cache: &std::path::Path) -> Client {
    let journal = Arc::new(SessionFolder::new(cache));
    let dialect = if registry.is_gitea() { Dialect::Gitea } else { Dialect::Spec };
    let options =
        Box::new(move |options| Options { journal: journal.clone(), dialect: Some(dialect), ..options });
    Setting { options, ..Setting::administrator(registry) }.client()
}

fn noted(cache: &std::path::Path) -> usize {
    std::fs::read_dir(cache.join("sessions")).map_or(0, Iterator::count)
}

/// Drops the upload in the middle, as the end of the process would.
async fn kill_in_third_chunk(registry: &Registry, cache: &std::path::Path, bytes: &[u8]) {
    registry.script(Match::method("PATCH").nth(3), Fault::StopReading(1 << 20));
    let client = client(registry, cache);
    tokio::select! {
        ended = client.send("giteaadmin/web", bytes) => panic!("it ended: {ended:?}"),
        () = async {
            while registry.count("PATCH") < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        } => {}
    }
}

#[tokio::test]
async fn a_run_after_one_that_was_killed_sends_what_is_missing() {
    let (registry, cache) = (Registry::gitea().behind_nginx().start(), tempfile::tempdir().unwrap());
    let bytes = content(LAYER);
    kill_in_third_chunk(&registry, cache.path(), &bytes).await;
    assert_eq!(noted(cache.path()), 1);
    registry.clear_log();
    let stored = client(&registry, cache.path()).send("giteaadmin/web", &bytes).await.unwrap();
    assert_eq!(stored, Stored::Uploaded);
    let digest = sha256(&bytes).to_string();
    assert_eq!(registry.blob("giteaadmin/web", &digest).as_deref(), Some(&bytes[..]));
    assert_eq!((registry.count("PATCH"), registry.count("POST")), (2, 0));
    assert_eq!(noted(cache.path()), 0);
    assert_eq!(registry.open_sessions(), Vec::<String>::new());
}

#[tokio::test]
async fn a_session_that_is_gone_is_no_hindrance() {
    let (registry, cache) = (Registry::gitea().start(), tempfile::tempdir().unwrap());
    let bytes = content(LAYER);
    kill_in_third_chunk(&registry, cache.path(), &bytes).await;
    registry.script(Match::method("GET").path_contains("/uploads/"), Fault::ForgetSessions);
    let mut client = client(&registry, cache.path());
    assert_eq!(client.send("giteaadmin/web", &bytes).await.unwrap(), Stored::Uploaded);
    assert_eq!(client.reasons(), Vec::<String>::new());
}

#[tokio::test]
async fn a_session_whose_location_has_a_query_is_not_noted() {
    let (registry, cache) = (Registry::distribution().start(), tempfile::tempdir().unwrap());
    let client = client(&registry, cache.path());
    registry.script(Match::method("PATCH"), Fault::StopReading(1 << 20));
    let bytes = content(LAYER);
    tokio::select! {
        ended = client.send("giteaadmin/web", &bytes) => panic!("it ended: {ended:?}"),
        () = async {
            while registry.count("PATCH") < 1 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        } => {}
    }
    assert_eq!(noted(cache.path()), 0);
}

#[tokio::test]
async fn a_push_that_was_stopped_leaves_nothing_to_go_on_with() {
    let (registry, cache) = (Registry::gitea().start(), tempfile::tempdir().unwrap());
    registry.script(Match::method("PATCH").nth(2), Fault::StopReading(1 << 20));
    let client = client(&registry, cache.path());
    let bytes = content(LAYER);
    let stopped = async {
        while registry.count("PATCH") < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        client.cancel.cancel();
    };
    let (ended, ()) = tokio::join!(client.send("giteaadmin/web", &bytes), stopped);
    assert!(matches!(ended, Err(RegistryError::Cancelled)), "{ended:?}");
    assert_eq!(noted(cache.path()), 0);
    assert_eq!(registry.open_sessions(), Vec::<String>::new());
}
