//! What came out, against the best peer.

use std::time::Duration;

use crate::measure::Measured;
use crate::registry::Counted;

/// One candidate in one step.
pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) is_ours: bool,
    pub(crate) runs: Vec<Measured>,
    pub(crate) counted: Option<Counted>,
    pub(crate) failed: Option<String>,
}

/// A column: its name, how many decimals it has, and a row's value in it.
type Column = (&'static str, usize, fn(&Row) -> Option<f64>);

const COLUMNS: &[Column] = &[
    ("wall s", 3, |row| least(row, |run| run.wall.as_secs_f64())),
    ("CPU s", 3, |row| least(row, |run| run.cpu.as_secs_f64())),
    ("peak MiB", 0, |row| least(row, |run| f64::from(run.peak_kib) / 1024.0)),
    ("requests", 0, |row| row.counted.map(|counted| f64::from(counted.requests))),
    ("sent MiB", 1, |row| row.counted.map(|counted| f64::from(counted.sent_kib) / 1024.0)),
];

const LABEL: usize = 24;

fn least(row: &Row, value: fn(&Measured) -> f64) -> Option<f64> {
    row.runs.iter().map(value).min_by(f64::total_cmp)
}

pub(crate) fn median(mut walls: Vec<Duration>) -> Option<Duration> {
    walls.sort();
    let upper = walls.get(walls.len() / 2)?;
    let lower = walls.get((walls.len() - 1) / 2)?;
    Some((*lower + *upper) / 2)
}

/// The rows of one step, each value with its ratio to the best peer's.
pub(crate) fn show(title: &str, rows: &[Row]) -> String {
    let best: Vec<Option<f64>> = COLUMNS.iter().map(|(_, _, value)| best_peer(rows, *value)).collect();
    let names = COLUMNS.iter().map(|(name, ..)| format!("{name:>10} {:6}", "")).collect();
    let head = line(title, names, "median");
    let lines = rows.iter().map(|row| {
        let label = format!("  {}", row.label);
        if let Some(reason) = &row.failed {
            return format!("{label:LABEL$} failed: {reason}");
        }
        let cells =
            COLUMNS.iter().zip(&best).map(|((_, decimals, value), best)| cell(value(row), *best, *decimals));
        let median = median(row.runs.iter().map(|run| run.wall).collect()).unwrap_or_default();
        line(&label, cells.collect(), &format!("{:.3}", median.as_secs_f64()))
    });
    std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
}

/// The median stands behind the first cell, to which it belongs.
fn line(label: &str, mut cells: Vec<String>, median: &str) -> String {
    cells.insert(1.min(cells.len()), format!("{median:>8}"));
    format!("{label:LABEL$} {}", cells.join("")).trim_end().to_owned()
}

fn best_peer(rows: &[Row], value: fn(&Row) -> Option<f64>) -> Option<f64> {
    let peers = rows.iter().filter(|row| !row.is_ours && row.failed.is_none());
    peers.filter_map(value).min_by(f64::total_cmp)
}

/// No ratio to nothing.
fn cell(value: Option<f64>, best: Option<f64>, decimals: usize) -> String {
    let Some(value) = value else { return format!("{:>10} {:6}", "-", "") };
    let ratio = best.filter(|best| *best > 0.0).map(|best| format!("{:.2}x", value / best));
    format!("{value:>10.decimals$} {:6}", ratio.unwrap_or_default())
}
