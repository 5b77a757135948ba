use super::*;

#[test]
fn headers_say_where_it_goes_and_how_it_is_trusted() {
    let known = facts();
    let mut texts = vec![header(&known)];
    for tls in
        [TlsFacts::ClusterAuthority, TlsFacts::CaFile, TlsFacts::System, TlsFacts::Insecure, TlsFacts::Plain]
    {
        let registry = RegistryFacts { tls, ..known.registry.clone() };
        texts.push(header(&Facts { cluster: None, registry, ..known.clone() }));
    }
    assert_snapshot!(texts.join("\n"));
}

fn report(images: Vec<ImageOutcome>) -> PushReport {
    let bytes_sent = images.iter().map(|image| image.bytes_sent).sum();
    PushReport { images, bytes_sent, duration: Duration::from_millis(2140), ..PushReport::default() }
}

#[test]
fn a_summary_counts_what_became_of_the_images() {
    let nothing_sent = ImageOutcome { bytes_sent: 0, ..outcome("old:1", Status::Exists) };
    let summaries = [
        report(vec![outcome("myapp:dev", Status::Pushed)]),
        report(vec![nothing_sent.clone()]),
        report(vec![outcome("a:1", Status::Pushed), outcome("b:1", Status::Pushed), nothing_sent]),
        report(vec![
            outcome("a:1", Status::Pushed),
            outcome("b:1", failed()),
            outcome("c:1", Status::Cancelled),
        ]),
        report(vec![outcome("b:1", failed())]),
        report(Vec::new()),
    ];
    let texts: Vec<String> = summaries.iter().map(|report| summary(report).join("\n")).collect();
    assert_snapshot!(texts.join("\n--\n"));
}

#[test]
fn a_plan_says_what_would_be_sent() {
    let layers = LayerCounts { total: 9, existing: 6, ..LayerCounts::default() };
    let known = ImageOutcome { layers, ..outcome("myapp:dev", Status::Planned) };
    let unknown = ImageOutcome { digest: None, ..known.clone() };
    let report = report(vec![known, unknown, outcome("old:1", Status::Exists), outcome("bad:1", failed())]);
    assert_snapshot!(plan(&report, Outstanding { blobs: 4, bytes: 20 << 20, unknown: 2 }, HOST).join("\n"));
}
