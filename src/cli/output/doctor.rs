use serde::Serialize;

use super::json::{Place, Problem};
use super::table::aligned;
use super::{API_VERSION, document};
use crate::cli::checkup::{Check, State, Tally, class, verdict};
use crate::cli::facts::Facts;
use crate::cli::failure::{Class, clean};
use crate::cli::settings::Form;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DoctorReport<'a> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    place: Place<'a>,
    checks: Vec<Entry>,
    summary: Summary,
    verdict: String,
    exit_code: u8,
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    /// `ok`, `warning`, `failed` or `skipped`.
    status: &'static str,
    /// What was seen, what is wrong, or why it was not looked at.
    message: String,
    warnings: Vec<String>,
    error: Option<Problem>,
}

#[derive(Serialize)]
struct Summary {
    ok: usize,
    warnings: usize,
    failed: usize,
    skipped: usize,
}

/// The document of `doctor`.
pub(in crate::cli) fn doctor_report(checks: &[Check], facts: Option<&Facts>, form: Form) -> String {
    let Tally { passed, warned, failed, skipped } = Tally::of(checks);
    let report = DoctorReport {
        api_version: API_VERSION,
        kind: "DoctorReport",
        place: facts.map(Place::of).unwrap_or_default(),
        checks: checks.iter().map(entry).collect(),
        summary: Summary { ok: passed, warnings: warned, failed, skipped },
        verdict: clean(&verdict(checks)),
        exit_code: class(checks).map_or(0, Class::number),
    };
    document(&report, form)
}

/// A row for each check.
pub(in crate::cli) fn checkup_table(checks: &[Check]) -> String {
    let mut rows = vec![["CHECK", "STATUS", "MESSAGE"].map(str::to_owned)];
    rows.extend(checks.iter().map(|check| {
        let Entry { name, status, message, .. } = entry(check);
        [name.to_owned(), status.to_owned(), message]
    }));
    aligned(&rows)
}

fn entry(check: &Check) -> Entry {
    let (status, message, warnings, error) = match &check.state {
        State::Passed(seen) => ("ok", seen, &[][..], None),
        State::Warned(seen, said) => ("warning", seen, said.as_slice(), None),
        State::Failed(failure) => ("failed", &failure.message, &[][..], Some(Problem::of(failure))),
        State::Skipped(why) => ("skipped", why, &[][..], None),
    };
    Entry {
        name: check.need.word(),
        status,
        message: clean(message),
        warnings: warnings.iter().map(|text| clean(text)).collect(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::cli::checkup::tests::checks;

    #[test]
    fn a_report_has_an_entry_for_each_check() {
        assert_snapshot!(doctor_report(&checks(), None, Form::Json));
    }

    #[test]
    fn a_table_has_a_row_for_each_check() {
        assert_snapshot!(checkup_table(&checks()));
    }
}
