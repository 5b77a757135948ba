use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::cli::settings::{GivenRegistry, Links, Names, Search};
use crate::plan::{PathPart, Rename};
use crate::port::{Origin, Scheme, Skipped, SourceName, Suggested};

/// A source of images by name, or one that fails.
struct Paper(Option<&'static [&'static str]>);

#[async_trait]
impl Source for Paper {
    fn name(&self) -> SourceName {
        SourceName("paper".into())
    }

    async fn find(&self, _: &Events) -> Result<Found, SourceError> {
        let Some(names) = self.0 else {
            return Err(SourceError::NotFound { path: "x.tar".into(), near: Vec::new() });
        };
        let image = |name: &&str| FoundImage {
            source: SourceName(format!("app.tar:{name}")),
            suggested: vec![Suggested::Reference((*name).to_owned())],
            fallback: "app".into(),
            content: Content::Unpacked { config: Bytes::from_static(b"{}"), layers: Vec::new(), exact: None },
            platforms: Vec::new(),
            notes: Vec::new(),
        };
        let skipped = vec![Skipped { path: "a.txt".into(), reason: "no image".into() }];
        Ok(Found { images: names.iter().map(image).collect(), skipped, ..Found::default() })
    }
}

fn settings() -> ListSettings {
    ListSettings {
        search: Search {
            sources: Vec::new(),
            include: Vec::new(),
            exclude: Vec::new(),
            max_depth: 8,
            links: Links::Stay,
        },
        place: Place::Cluster,
        names: Names { owner: None, path: PathPart::Last, rename: None, tags: Vec::new() },
        notices: Vec::new(),
    }
}

async fn references(names: &'static [&'static str], settings: &ListSettings) -> Vec<String> {
    let sources: [Arc<dyn Source>; 1] = [Arc::new(Paper(Some(names)))];
    let ended = search(&sources, settings, &Events::none()).await;
    assert!(ended.faults.is_empty(), "{:?}", ended.faults);
    ended.images.into_iter().map(|image| image.reference).collect()
}

fn given(path: Option<&str>) -> Place {
    Place::Given(GivenRegistry {
        says_scheme: false,
        origin: Origin::new(Scheme::Https, "r.example", 443),
        path: path.map(|path| path.parse().unwrap()),
        given_by: "--registry",
    })
}

#[tokio::test]
async fn what_only_the_cluster_knows_is_left_open() {
    assert_eq!(references(&["team/web:1"], &settings()).await, ["<registry>/<owner>/web:1"]);
    let bare = ListSettings { place: given(None), ..settings() };
    assert_eq!(references(&["web:1"], &bare).await, ["r.example/<owner>/web:1"]);
}

#[tokio::test]
async fn what_was_given_is_filled_in() {
    let below = ListSettings { place: given(Some("team")), ..settings() };
    assert_eq!(references(&["web:1"], &below).await, ["r.example/team/web:1"]);
    let names = Names { owner: Some("Me".into()), ..settings().names };
    assert_eq!(references(&["web:1"], &ListSettings { names, ..settings() }).await, ["<registry>/me/web:1"]);
    let rename = Some(Rename { name: "owner/web".into(), tag: None });
    let names = Names { rename, ..settings().names };
    let renamed = ListSettings { names, ..settings() };
    assert_eq!(references(&["x:1"], &renamed).await, ["<registry>/owner/web:1"]);
}

#[tokio::test]
async fn a_source_or_a_name_that_fails_leaves_the_others() {
    let sources: [Arc<dyn Source>; 2] = [Arc::new(Paper(None)), Arc::new(Paper(Some(&["Upper:1", "web:1"])))];
    let ended = search(&sources, &settings(), &Events::none()).await;
    assert_eq!(ended.images.len(), 1);
    assert_eq!(ended.faults.len(), 2);
}
