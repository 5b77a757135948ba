use super::*;

#[derive(Default)]
struct MemoryIndex(Mutex<HashMap<(Digest, Form), Remembered>>);

impl PackIndex for MemoryIndex {
    fn packed(&self, diff_id: &Digest, form: Form) -> Option<Remembered> {
        self.0.lock().unwrap().get(&(diff_id.clone(), form)).cloned()
    }
    fn keep_packed(&self, diff_id: &Digest, form: Form, packed: &Remembered) {
        self.0.lock().unwrap().insert((diff_id.clone(), form), packed.clone());
    }
    fn config(&self, _: &Digest) -> Option<Bytes> {
        None
    }
    fn keep_config(&self, _: &Bytes) {}
}

pub(super) fn remembering() -> Arc<dyn PackIndex> {
    Arc::new(MemoryIndex::default())
}

/// The same image, whose layers cannot be read: their bytes are not those of their `diff_id`s.
pub(super) fn unreadable(image: FoundImage) -> FoundImage {
    let Content::Unpacked { config, layers, exact } = image.content else { panic!("unpacked") };
    let layers = layers.into_iter().map(|layer| Layer { blob: memory(b"unreadable"), ..layer }).collect();
    FoundImage { content: Content::Unpacked { config, layers, exact }, ..image }
}

#[tokio::test]
async fn an_image_that_was_packed_before_costs_one_request_and_no_reading() {
    let (registry, index) = (Arc::new(MemoryRegistry::default()), remembering());
    let image = saved("web:1", &[b"one", b"two"]);
    run_with(&registry, vec![image.clone()], &job(), Arc::clone(&index)).await.unwrap();
    let before = registry.log().len();
    let report = run_with(&registry, vec![unreadable(image)], &job(), index).await.unwrap();
    assert!(matches!(report.images[0].status, Status::Exists), "{report:?}");
    assert_eq!(registry.log()[before..], ["head manifest o/web 1"]);
    assert_eq!(report.images[0].layers.existing, 2);
}

#[tokio::test]
async fn of_an_image_with_one_new_layer_only_that_is_read() {
    let (registry, index) = (Arc::new(MemoryRegistry::default()), remembering());
    run_with(&registry, vec![saved("web:1", &[b"one", b"two"])], &job(), Arc::clone(&index)).await.unwrap();
    let mut next = unreadable(saved("web:1", &[b"one", b"two", b"three"]));
    if let Content::Unpacked { layers, .. } = &mut next.content {
        layers[2].blob = memory(b"three");
    }
    let report = run_with(&registry, vec![next], &job(), index).await.unwrap();
    assert!(matches!(report.images[0].status, Status::Pushed), "{report:?}");
    let layers = report.images[0].layers;
    assert_eq!((layers.uploaded, layers.existing), (1, 2));
}

#[tokio::test]
async fn an_image_that_somebody_else_pushed_is_not_packed_again() {
    let registry = Arc::new(MemoryRegistry::default());
    run(&registry, vec![saved("web:1", &[b"one", b"two"])], &job()).await.unwrap();
    let before = registry.log().len();
    let report = run(&registry, vec![unreadable(saved("web:1", &[b"one", b"two"]))], &job()).await.unwrap();
    assert!(matches!(report.images[0].status, Status::Exists), "{report:?}");
    assert_eq!(registry.log()[before..], ["head manifest o/web 1", "get Manifest o/web"]);
}

#[tokio::test]
async fn the_layers_of_the_image_before_are_not_packed_again_by_who_has_no_cache() {
    let registry = Arc::new(MemoryRegistry::default());
    run(&registry, vec![saved("web:1", &[b"one", b"two"])], &job()).await.unwrap();
    let mut next = unreadable(saved("web:1", &[b"two", b"three"]));
    if let Content::Unpacked { layers, .. } = &mut next.content {
        layers[1].blob = memory(b"three");
    }
    let report = run(&registry, vec![next], &job()).await.unwrap();
    let layers = report.images[0].layers;
    assert_eq!((layers.uploaded, layers.existing), (1, 1), "{report:?}");
}

#[tokio::test]
async fn a_layer_that_others_packed_otherwise_and_that_is_lost_is_not_sent_under_its_digest() {
    let registry = Arc::new(MemoryRegistry::default());
    let six = Encoder::new(Codec::Gzip, 6).unwrap();
    let layer = "a line that repeats and repeats\n".repeat(100).into_bytes();
    let theirs = Job { compression: Compression::Pack(six), ..job() };
    let report = run(&registry, vec![saved("web:1", &[&layer])], &theirs).await.unwrap();
    assert!(matches!(report.images[0].status, Status::Pushed), "{report:?}");
    {
        let mut held = registry.held.lock().unwrap();
        let packed = held.blobs.iter().find(|(_, digest)| held.content[digest].starts_with(&[0x1f, 0x8b]));
        held.lose_once = packed.map(|(_, digest)| digest.clone());
    }
    let report = run(&registry, vec![saved("web:1", &[&layer, b"new"])], &job()).await.unwrap();
    let Status::Failed(error) = &report.images[0].status else { panic!("{report:?}") };
    assert!(matches!(**error, ImageError::PackedOtherwise { .. }), "{error:?}");
}

#[tokio::test]
async fn nothing_small_is_asked_for_in_a_new_repository_of_a_registry_that_says_it_while_it_takes() {
    let registry = Arc::new(MemoryRegistry::default());
    registry.held.lock().unwrap().best_unasked = true;
    let images = vec![saved("web:1", &[b"one", b"two"]), found("exact:1", Content::Exact(tree(&[b"three"])))];
    run(&registry, images, &job()).await.unwrap();
    assert_eq!((registry.count("head blob"), registry.count("upload")), (0, 5));
    run(&registry, vec![saved("web:1", &[b"one", b"new"])], &job()).await.unwrap();
    assert!(registry.count("head blob") > 0);
}

#[tokio::test]
async fn a_known_layer_is_asked_for_under_a_new_tag_before_it_is_read() {
    let (registry, index) = (Arc::new(MemoryRegistry::default()), remembering());
    registry.held.lock().unwrap().best_unasked = true;
    let image = || saved("web:1", &[b"one", b"two"]);
    run_with(&registry, vec![image()], &job(), Arc::clone(&index)).await.unwrap();
    let tagged = Naming { tags: vec!["2".parse().unwrap()], ..job().naming };
    let next = Job { naming: tagged, ..job() };
    let report = run_with(&registry, vec![unreadable(image())], &next, index).await.unwrap();
    assert!(matches!(report.images[0].status, Status::Pushed), "{report:?}");
    assert_eq!(report.images[0].layers.existing, 2, "{report:?}");
}

#[tokio::test]
async fn a_new_tag_beside_one_that_stands_learns_from_that() {
    let registry = Arc::new(MemoryRegistry::default());
    let tagged = |tags: &[&str]| {
        let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        Job { naming: Naming { tags, ..job().naming }, ..job() }
    };
    run(&registry, vec![saved("web", &[b"one", b"two"])], &tagged(&["latest"])).await.unwrap();
    let next = unreadable(saved("web", &[b"one", b"two"]));
    let report = run(&registry, vec![next], &tagged(&["commit", "latest"])).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Done, "{report:?}");
    assert_eq!(registry.count("put o/web tag commit"), 1);
}

pub(super) fn as_tag(tag: &str) -> Job {
    Job { naming: Naming { tags: vec![tag.parse().unwrap()], ..job().naming }, ..job() }
}

#[tokio::test]
async fn a_new_tag_learns_from_the_tags_that_are_there() {
    let registry = Arc::new(MemoryRegistry::default());
    let large = vec![7; 9 << 20];
    run(&registry, vec![saved("web", &[&large])], &as_tag("1.4.2")).await.unwrap();
    let report = run(&registry, vec![saved("web", &[&large, b"new"])], &as_tag("1.4.3")).await.unwrap();
    let layers = report.images[0].layers;
    assert_eq!((layers.uploaded, layers.existing), (1, 1), "{report:?}");
    assert_eq!(registry.count("list tags o/web"), 2);
}

#[tokio::test]
async fn who_has_little_to_pack_asks_for_no_other_tag() {
    let registry = Arc::new(MemoryRegistry::default());
    run(&registry, vec![saved("web:1", &[b"one"])], &job()).await.unwrap();
    assert_eq!(registry.count("list tags"), 0);
}

#[tokio::test]
async fn layers_in_another_form_than_is_wanted_are_packed() {
    let registry = Arc::new(MemoryRegistry::default());
    run(&registry, vec![saved("web:1", &[b"one"])], &job()).await.unwrap();
    let zstd = Job { compression: Compression::Pack(Encoder::ZSTD), ..job() };
    let report = run(&registry, vec![saved("web:1", &[b"one"])], &zstd).await.unwrap();
    assert_eq!(report.images[0].layers.uploaded, 1, "{report:?}");
}

#[tokio::test]
async fn who_wants_no_cache_packs_every_layer() {
    let registry = Arc::new(MemoryRegistry::default());
    run(&registry, vec![saved("web:1", &[b"one"])], &job()).await.unwrap();
    let before = registry.log().len();
    let anew = Job { reuse: Reuse::Nothing, ..job() };
    run(&registry, vec![saved("web:1", &[b"one"])], &anew).await.unwrap();
    assert!(!registry.log()[before..].iter().any(|line| line.starts_with("get")), "{:?}", registry.log());
}

#[tokio::test]
async fn a_remembered_layer_that_the_registry_lacks_is_packed_again() {
    let (elsewhere, index) = (Arc::new(MemoryRegistry::default()), remembering());
    let image = saved("web:1", &[b"one", b"two"]);
    run_with(&elsewhere, vec![image.clone()], &job(), Arc::clone(&index)).await.unwrap();
    let registry = Arc::new(MemoryRegistry::default());
    let report = run_with(&registry, vec![image], &job(), index).await.unwrap();
    assert!(matches!(report.images[0].status, Status::Pushed), "{report:?}");
    assert_eq!(report.images[0].layers.uploaded, 2);
}

#[tokio::test]
async fn a_remembered_layer_that_is_lost_in_between_is_packed_in_the_second_round() {
    let (registry, index) = (Arc::new(MemoryRegistry::default()), remembering());
    run_with(&registry, vec![saved("web:1", &[b"one", b"two"])], &job(), Arc::clone(&index)).await.unwrap();
    let remembered = index.packed(&sha256(b"one"), Form::Packed(Encoder::GZIP)).unwrap();
    registry.held.lock().unwrap().lose_once = Some(remembered.digest);
    let report = run_with(&registry, vec![saved("web:1", &[b"one", b"new"])], &job(), index).await.unwrap();
    assert!(matches!(report.images[0].status, Status::Pushed), "{report:?}");
    assert_eq!(report.images[0].layers.uploaded, 2);
}
