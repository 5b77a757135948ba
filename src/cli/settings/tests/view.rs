use super::*;

fn view(line: &str, pairs: &[(&str, &str)], stderr: Stderr) -> View {
    let Command::Push(args) = command(line) else { panic!("no push: {line}") };
    View::of(args.view, &environment(pairs), stderr)
}

#[test]
fn the_level_of_a_host_counts_where_no_flag_says_another() {
    let level = |line| view(line, &[("IDPBUILDER_LOG_LEVEL", "debug")], Stderr::Elsewhere).level;
    assert_eq!(level("x"), tracing::Level::DEBUG);
    assert_eq!(level("-l error x"), tracing::Level::ERROR);
    assert_eq!(level("-q x"), tracing::Level::WARN);
}

#[test]
fn bars_need_a_terminal_that_can_move_its_cursor() {
    let progress = |line, term, stderr| view(line, &[("TERM", term)], stderr).progress;
    assert_eq!(progress("x", "xterm", Stderr::Terminal), Progress::Bars);
    assert_eq!(progress("x", "dumb", Stderr::Terminal), Progress::Lines);
    assert_eq!(progress("x", "xterm", Stderr::Elsewhere), Progress::Lines);
    assert_eq!(progress("--progress bars x", "xterm", Stderr::Elsewhere), Progress::Lines);
    assert_eq!(progress("--progress lines x", "xterm", Stderr::Terminal), Progress::Lines);
    assert_eq!(progress("--progress json x", "xterm", Stderr::Terminal), Progress::Json);
}

#[test]
fn colours_follow_the_flag_then_the_environment_then_the_terminal() {
    let colour = |line, pairs: &[(&str, &str)], stderr| view(line, pairs, stderr).colour;
    let (no, force) = (("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1"));
    assert_eq!(colour("x", &[], Stderr::Terminal), Colour::Ansi);
    assert_eq!(colour("x", &[], Stderr::Elsewhere), Colour::Plain);
    assert_eq!(colour("x", &[no], Stderr::Terminal), Colour::Plain);
    assert_eq!(colour("x", &[force], Stderr::Elsewhere), Colour::Ansi);
    assert_eq!(colour("x", &[("CLICOLOR_FORCE", "0")], Stderr::Elsewhere), Colour::Plain);
    assert_eq!(colour("x", &[no, force], Stderr::Terminal), Colour::Plain);
    assert_eq!(colour("--color always x", &[no], Stderr::Elsewhere), Colour::Ansi);
    assert_eq!(colour("--color never x", &[force], Stderr::Terminal), Colour::Plain);
}

#[test]
fn the_log_is_quieter_where_bars_say_the_same() {
    let level = |line, stderr| view(line, &[], stderr).level;
    assert_eq!(level("x", Stderr::Elsewhere), tracing::Level::INFO);
    assert_eq!(level("x", Stderr::Terminal), tracing::Level::WARN);
    assert_eq!(level("-l info x", Stderr::Terminal), tracing::Level::INFO);
    assert_eq!(level("-v x", Stderr::Terminal), tracing::Level::DEBUG);
    assert_eq!(level("-q x", Stderr::Elsewhere), tracing::Level::WARN);
}

#[test]
fn lines_for_programs_have_no_other_form_between_them() {
    let view = view("--progress json --log-format text x", &[], Stderr::Elsewhere);
    assert_eq!((view.log_format, view.level), (LogFormat::Json, tracing::Level::WARN));
}

#[test]
fn quiet_leaves_warnings_and_errors() {
    let detail = |line| view(line, &[], Stderr::Elsewhere).detail;
    assert_eq!(detail("x"), Detail::Full);
    assert_eq!(detail("--progress none x"), Detail::Summary);
    assert_eq!(detail("-q x"), Detail::Quiet);
}
