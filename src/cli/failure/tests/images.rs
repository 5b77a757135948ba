use super::registry::refused;
use super::*;

fn failed(source: &str, reference: &str, error: ImageError) -> ImageOutcome {
    ImageOutcome {
        source: SourceName(source.into()),
        reference: reference.into(),
        digest: None,
        media_type: None,
        platforms: Vec::new(),
        status: Status::Failed(Arc::new(error)),
        size: 0,
        layers: LayerCounts::default(),
        bytes_sent: 0,
        retries: 0,
        duration: Duration::ZERO,
        phases: Phases::default(),
    }
}

fn report(images: Vec<ImageOutcome>) -> PushReport {
    PushReport { images, ..PushReport::default() }
}

#[test]
fn images_that_failed_are_explained() {
    let pack = |source| ImageError::Pack { diff_id: digest("layer"), source };
    let mismatch = PackError::DiffIdMismatch { expected: digest("a"), found: digest("b") };
    let spool =
        ContentError::Spool { dir: "/var/tmp".into(), source: io::Error::from(io::ErrorKind::StorageFull) };
    let errors = [
        pack(mismatch),
        pack(PackError::CrewLost),
        pack(PackError::Content(spool)),
        pack(PackError::Cancelled),
        ImageError::PackedOtherwise { expected: digest("a"), found: digest("b") },
        ImageError::Compose(crate::oci::ComposeError { reason: "two layers and one diff_id".into() }),
    ];
    assert_snapshot!(with_scene(None, |scene| told(errors.iter().map(|error| one(error, scene)))));
}

#[test]
fn images_that_failed_for_one_reason_share_its_text() {
    let denied = || ImageError::Registry(refused(Refusal::Denied, 401, "reqPackageAccess"));
    let damaged = ImageError::Source(SourceError::Damaged { path: "b.tar".into(), reason: "cut off".into() });
    let report = report(vec![
        failed("a.tar", "host/me/a:1", denied()),
        failed("b.tar", "", damaged),
        failed("c.tar", "host/me/c:1", denied()),
    ]);
    let facts = facts();
    let failures = with_scene(Some(&facts), |scene| of_report(&report, scene));
    assert_eq!(whole(&failures), Some(Class::Mixed));
    assert_snapshot!(told(failures));
}

#[test]
fn the_one_image_of_a_run_is_not_named_again() {
    let report = report(vec![failed("a.tar", "host/me/a:1", refused(Refusal::Other, 418, "").into())]);
    let failures = with_scene(None, |scene| of_report(&report, scene));
    assert_eq!(whole(&failures), Some(Class::Refused));
    assert_eq!(failures[0].details, [] as [String; 0]);
}
