use crate::cli::screen::{duration, escaped, short, size};
use crate::report::{PushReport, Status};

/// One row an image and target tag.
pub(in crate::cli) fn table(report: &PushReport) -> String {
    let mut rows = vec![["REFERENCE", "DIGEST", "STATUS", "SIZE", "SENT", "TIME"].map(str::to_owned)];
    rows.extend(report.images.iter().map(|image| {
        let name = if image.reference.is_empty() { &image.source.0 } else { &image.reference };
        [
            escaped(name),
            image.digest.as_ref().map_or_else(|| "-".to_owned(), short),
            word(&image.status).to_owned(),
            size(image.size),
            size(image.bytes_sent),
            duration(image.duration),
        ]
    }));
    aligned(&rows)
}

/// The word for a status, the same everywhere.
pub(in crate::cli) fn word(status: &Status) -> &'static str {
    match status {
        Status::Pushed => "pushed",
        Status::Exists => "exists",
        Status::Planned => "planned",
        Status::Failed(_) => "failed",
        Status::Cancelled => "cancelled",
    }
}

/// Columns as wide as their widest cell, three spaces between them, none behind the last.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("   ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
