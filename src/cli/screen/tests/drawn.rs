use super::*;

/// What a terminal shows while three layers are on their way.
fn under_way(width: fn() -> usize) -> String {
    let (mut screen, term) = bars(width);
    let begin = Instant::now();
    let (fast, slow, packing) = (Meter::default(), Meter::default(), Meter::default());
    screen.line(Detail::Summary, &header(&facts()));
    screen.show(started("myapp:dev"), begin);
    screen.show(finished("base", 30, BlobOutcome::Present), begin);
    screen.show(sending("fast", 20, &fast), begin);
    screen.show(sending("slow", 1200, &slow), begin);
    screen.show(sending("stored", 3, &Meter::default()), begin);
    screen.show(Event::PackStarted { diff_id: layer("raw"), size: 100 << 20, meter: packing.clone() }, begin);
    fast.advance(11_744_051);
    slow.advance(600 << 20);
    packing.advance(50 << 20);
    screen.tick(begin + Duration::from_secs(1));
    screen.show(retrying("slow"), begin + Duration::from_secs(1));
    screen.show(Event::BlobStoring { digest: layer("stored") }, begin + Duration::from_secs(1));
    drawn_anew(&mut screen, begin + Duration::from_secs(1));
    let text = term.contents();
    screen.show(finished("fast", 20, BlobOutcome::Uploaded), begin + Duration::from_secs(2));
    screen.transfers.clear();
    format!("{text}\n\nlater:\n{}", term.contents())
}

#[test]
fn bars_fit_a_narrow_terminal() {
    assert_snapshot!(under_way(|| 40));
}

#[test]
fn bars_fit_a_terminal_of_eighty_columns() {
    assert_snapshot!(under_way(|| 80));
}

#[test]
fn bars_do_not_fill_a_wide_terminal() {
    assert_snapshot!(under_way(|| 200));
}

#[test]
fn a_transfer_that_moves_again_is_a_bar_again() {
    let (mut screen, term) = bars(|| 80);
    let (begin, meter) = (Instant::now(), Meter::default());
    screen.show(sending("app", 20, &meter), begin);
    screen.show(retrying("app"), begin);
    drawn_anew(&mut screen, begin);
    assert!(term.contents().contains("retry 2 in 1.5 s: connection reset by peer"), "{}", term.contents());
    meter.advance(10 << 20);
    drawn_anew(&mut screen, begin + Duration::from_secs(2));
    assert!(term.contents().contains("10.0 / 20.0 MiB"), "{}", term.contents());
}
