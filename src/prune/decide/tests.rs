use proptest::prelude::*;

use super::*;

fn digest(number: u64) -> Digest {
    format!("sha256:{number:064x}").parse().unwrap()
}

/// A manifest of an image, put under its digest.
fn untagged(number: u64) -> Version {
    Version {
        name: ManifestName::Digest(digest(number)),
        number,
        digest: digest(number),
        children: Vec::new(),
        subject: None,
        config: None,
    }
}

fn tagged(tag: &str, of: &Version) -> Version {
    Version { name: ManifestName::Tag(tag.parse().unwrap()), ..of.clone() }
}

fn index(number: u64, children: &[u64]) -> Version {
    Version { children: children.iter().copied().map(digest).collect(), ..untagged(number) }
}

fn about(number: u64, subject: u64) -> Version {
    Version { subject: Some(digest(subject)), ..untagged(number) }
}

fn in_use(numbers: &[u64]) -> InUse {
    let named = numbers.iter().map(|number| (digest(*number), format!("pod default/p{number}")));
    InUse { digests: named.collect(), unseen: Vec::new() }
}

/// The numbers of what is deleted.
fn deleted(versions: &[Version], keep: usize, used: &[u64]) -> Vec<u64> {
    let fates = decide(versions, keep, &in_use(used));
    let pairs = versions.iter().zip(fates);
    pairs.filter(|(_, fate)| *fate == Fate::Delete).map(|(version, _)| version.number).collect()
}

#[test]
fn only_what_no_tag_points_to_is_deleted() {
    let versions = [untagged(1), untagged(2), untagged(3), tagged("dev", &untagged(3))];
    assert_eq!(deleted(&versions, 0, &[]), [1, 2]);
    assert_eq!(deleted(&versions, 1, &[]), [1]);
    assert_eq!(deleted(&versions, 2, &[]), [0; 0]);
    assert_eq!(deleted(&versions, usize::MAX, &[]), [0; 0]);
}

#[test]
fn what_a_workload_runs_stays_and_says_so() {
    let versions = [untagged(1), untagged(2)];
    let fates = decide(&versions, 0, &in_use(&[1]));
    assert_eq!(fates, [Fate::Keep(Why::InUse("pod default/p1".to_owned())), Fate::Delete]);
}

#[test]
fn what_runs_may_be_named_by_its_configuration() {
    let built = Version { config: Some(digest(9)), ..untagged(1) };
    assert_eq!(deleted(&[built, untagged(2)], 0, &[9]), [2]);
}

#[test]
fn the_parts_of_an_index_share_its_fate() {
    let versions = [untagged(1), untagged(2), index(3, &[1, 2]), untagged(4), index(5, &[4, 2])];
    let with_tag = [&versions[..], &[tagged("dev", &versions[4])]].concat();
    assert_eq!(deleted(&with_tag, 0, &[]), [1, 3]);
    assert_eq!(deleted(&versions, 0, &[]), [1, 2, 3, 4, 5]);
    // An index and its parts count as one.
    assert_eq!(deleted(&versions, 1, &[]), [1, 3]);
    assert_eq!(deleted(&versions, 0, &[3]), [4, 5]);
    // A part that runs needs no other part.
    assert_eq!(deleted(&versions, 0, &[1]), [2, 3, 4, 5]);
}

#[test]
fn what_refers_to_an_image_shares_its_fate() {
    let versions =
        [untagged(1), about(2, 1), about(3, 2), untagged(4), tagged("dev", &untagged(4)), about(5, 4)];
    assert_eq!(deleted(&versions, 0, &[]), [1, 2, 3]);
    assert_eq!(deleted(&versions, 0, &[1]), [0; 0]);
    // They are not counted beside it.
    assert_eq!(deleted(&versions, 1, &[]), [0; 0]);
}

#[test]
fn what_a_tagged_manifest_refers_to_stays() {
    let signature = about(2, 1);
    let versions = [untagged(1), signature.clone(), tagged("signature", &signature)];
    let fates = decide(&versions, 0, &InUse::default());
    assert_eq!(fates.first(), Some(&Fate::Keep(Why::SubjectOf(digest(2)))));
}

#[test]
fn the_list_of_what_refers_to_an_image_does_not_keep_the_image() {
    let list = index(3, &[2]);
    let name = format!("sha256-{:064x}", 1);
    let versions = [untagged(1), about(2, 1), tagged(&name, &list)];
    assert_eq!(deleted(&versions, 0, &[]), [1]);
    // Any other tag does.
    let versions = [untagged(1), about(2, 1), tagged("sha256-1", &list)];
    assert_eq!(deleted(&versions, 0, &[]), [0; 0]);
}

#[test]
fn what_is_newer_than_every_tag_may_be_part_of_a_push_that_is_under_way() {
    let versions = [untagged(1), untagged(2), tagged("dev", &untagged(2)), untagged(3), index(4, &[3])];
    assert_eq!(deleted(&versions, 0, &[]), [1]);
    assert_eq!(decide(&versions, 0, &InUse::default()).last(), Some(&Fate::Keep(Why::Fresh)));
    let next = [&versions[..], &[tagged("next", &untagged(5))]].concat();
    assert_eq!(deleted(&next, 0, &[]), [1, 3, 4]);
}

#[test]
fn a_reference_to_what_is_not_there_means_nothing() {
    assert_eq!(deleted(&[about(1, 7), index(2, &[8]), untagged(3)], 0, &[9]), [1, 2, 3]);
    assert_eq!(deleted(&[about(1, 7), index(2, &[8]), untagged(3)], 2, &[]), [1]);
}

#[test]
fn manifests_that_refer_to_each_other_come_to_an_end() {
    let (one, two) = (about(1, 2), about(2, 1));
    assert_eq!(deleted(&[one.clone(), two.clone()], 0, &[]), [1, 2]);
    assert_eq!(deleted(&[tagged("a", &one), one, two], 0, &[]), [0; 0]);
}

#[derive(Debug, Clone)]
struct Case {
    versions: Vec<Version>,
    keep: usize,
    used: Vec<u64>,
}

/// Any graph of a few manifests, cycles included, some of them tagged.
fn cases() -> impl Strategy<Value = Case> {
    let some = prop::collection::vec(1_u64..10, 0..3);
    let one = (some, prop::option::weighted(0.3, 1_u64..10), prop::bool::weighted(0.3));
    (prop::collection::vec(one, 1..10), 0_usize..4, prop::collection::vec(1_u64..10, 0..3)).prop_map(
        |(made, keep, used)| {
            let mut versions = Vec::new();
            for (number, (children, subject, has_tag)) in (1_u64..).zip(made) {
                let version = Version { subject: subject.map(digest), ..index(number, &children) };
                versions.extend(has_tag.then(|| tagged(&format!("t{number}"), &version)));
                versions.push(version);
            }
            Case { versions, keep, used }
        },
    )
}

/// What must be there for `from` to be whole, found by another way than the code's.
fn needed(versions: &[Version], from: &Digest, found: &mut HashSet<Digest>) {
    if !found.insert(from.clone()) {
        return;
    }
    for version in versions.iter().filter(|version| version.digest == *from) {
        for next in version.children.iter().chain(&version.subject) {
            needed(versions, next, found);
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_is_needed_is_deleted(case in cases()) {
        let Case { versions, keep, used } = &case;
        let gone = deleted(versions, *keep, used);
        let gone: HashSet<Digest> = gone.into_iter().map(digest).collect();
        let mut must_stay = HashSet::new();
        for version in versions {
            let is_used = used.iter().any(|number| digest(*number) == version.digest);
            let is_kept = !gone.contains(&version.digest);
            if is_used || is_kept || matches!(version.name, ManifestName::Tag(_)) {
                needed(versions, &version.digest, &mut must_stay);
            }
        }
        prop_assert!(gone.is_disjoint(&must_stay));
    }

    #[test]
    fn a_tag_is_never_deleted_and_more_to_keep_deletes_no_more(case in cases()) {
        let Case { versions, keep, used } = &case;
        let fates = decide(versions, *keep, &in_use(used));
        for (version, fate) in versions.iter().zip(&fates) {
            prop_assert!(*fate != Fate::Delete || matches!(version.name, ManifestName::Digest(_)));
        }
        let (fewer, more): (HashSet<u64>, HashSet<u64>) = (
            deleted(versions, keep + 1, used).into_iter().collect(),
            deleted(versions, *keep, used).into_iter().collect(),
        );
        prop_assert!(fewer.is_subset(&more));
    }
}
