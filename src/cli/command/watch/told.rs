use std::time::Duration;

use crate::cli::screen::{Ink, duration, escaped, layers, short, size};
use crate::report::{ImageOutcome, PushReport, Status};

/// What came of all pushes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) pushes: usize,
    pub(super) failed: usize,
    pub(super) bytes_sent: u64,
}

impl Tally {
    /// Counts a push that has not failed.
    pub(super) fn count(&mut self, report: &PushReport) {
        let pushed = report.images.iter().any(|image| matches!(image.status, Status::Pushed));
        self.pushes += usize::from(pushed);
    }

    pub(super) fn summary(&self, watched: Duration) -> String {
        let pushes = if self.pushes == 1 { "1 push".to_owned() } else { format!("{} pushes", self.pushes) };
        let (failed, sent) = (self.failed, size(self.bytes_sent));
        format!("watched for {}: {pushes}, {failed} failed, {sent} sent", duration(watched))
    }
}

/// A line for each image that is in the registry now; `time` is that of the push.
pub(super) fn lines(report: &PushReport, time: &str, ink: Ink) -> Vec<String> {
    let line = |image: &ImageOutcome| {
        let became = match image.status {
            Status::Pushed => {
                format!("{} in {}", layers(&image.layers, image.bytes_sent), duration(image.duration))
            }
            Status::Exists => ink.faint("present already"),
            Status::Planned | Status::Failed(_) | Status::Cancelled => return None,
        };
        let digest = image.digest.as_ref().map(|digest| format!("@{}", short(digest))).unwrap_or_default();
        let reference = ink.strong(&escaped(&image.reference));
        Some(format!("{} {reference}{digest}  {became}", ink.faint(time)))
    };
    report.images.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::settings::Colour;
    use crate::oci::sha256;
    use crate::port::SourceName;
    use crate::report::LayerCounts;

    fn image(status: Status) -> ImageOutcome {
        ImageOutcome {
            reference: "r.example/me/web:1".into(),
            digest: Some(sha256(b"web")),
            status,
            layers: LayerCounts { total: 3, uploaded: 1, existing: 2, mounted: 0 },
            bytes_sent: 4200,
            duration: Duration::from_millis(310),
            ..ImageOutcome::of(SourceName("web.tar".into()))
        }
    }

    fn report(statuses: impl IntoIterator<Item = Status>) -> PushReport {
        PushReport { images: statuses.into_iter().map(image).collect(), ..PushReport::default() }
    }

    #[test]
    fn a_push_is_told_in_a_line() {
        let told = lines(&report([Status::Pushed, Status::Exists]), "15:04:05", Ink::new(Colour::Plain));
        let web = format!("15:04:05 r.example/me/web:1@{}", short(&sha256(b"web")));
        assert_eq!(
            told,
            [
                format!("{web}  1 layer sent (4.1 KiB), 2 present in 310 ms"),
                format!("{web}  present already")
            ]
        );
    }

    #[test]
    fn the_summary_counts_pushes() {
        let mut tally = Tally { bytes_sent: 20 << 20, failed: 2, ..Tally::default() };
        tally.count(&report([Status::Pushed, Status::Pushed]));
        tally.count(&report([Status::Exists]));
        assert_eq!(
            tally.summary(Duration::from_secs(200)),
            "watched for 3 min 20 s: 1 push, 2 failed, 20.0 MiB sent"
        );
    }
}
