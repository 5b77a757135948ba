use super::text::cut;

/// What one bar shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bar<'a> {
    /// A short digest.
    pub(super) name: &'a str,
    /// Thousandths that are done.
    pub(super) done: u16,
    /// `11.2 / 20.0 MiB`, or what is waited for.
    pub(super) amount: &'a str,
    /// `48.0 MiB/s`, or nothing.
    pub(super) rate: &'a str,
}

/// Columns between the brackets at most, and the fewest that still say something.
const LONGEST: usize = 30;
const SHORTEST: usize = 8;

/// One line of at most `width` columns: the bar shrinks first, then goes; then the rate; then the rest
/// is cut.
pub(super) fn bar(bar: &Bar<'_>, width: usize) -> String {
    let rate = if bar.rate.is_empty() { String::new() } else { format!("   {}", bar.rate) };
    let with_rate = format!("{}{rate}", bar.amount);
    let start = format!("  {}  ", bar.name);
    let taken = start.len() + "[]  ".len() + with_rate.chars().count();
    let inner = width.saturating_sub(taken).min(LONGEST);
    if inner >= SHORTEST {
        return format!("{start}[{}]  {with_rate}", filled(bar.done, inner));
    }
    if start.len() + with_rate.chars().count() <= width {
        return format!("{start}{with_rate}");
    }
    cut(&format!("{start}{}", bar.amount), width)
}

fn filled(done: u16, inner: usize) -> String {
    let columns = (inner * usize::from(done.min(1000))) / 1000;
    match columns {
        0 => " ".repeat(inner),
        columns if columns == inner => "=".repeat(inner),
        columns => format!("{}>{}", "=".repeat(columns - 1), " ".repeat(inner - columns)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HALF: Bar<'_> =
        Bar { name: "7f2b1c09d1aa", done: 500, amount: "10.0 / 20.0 MiB", rate: "48.0 MiB/s" };

    #[test]
    fn what_does_not_fit_goes_in_order() {
        assert_eq!(
            bar(&HALF, 80),
            "  7f2b1c09d1aa  [==============>               ]  10.0 / 20.0 MiB   48.0 MiB/s"
        );
        assert_eq!(bar(&HALF, 60), "  7f2b1c09d1aa  [=====>      ]  10.0 / 20.0 MiB   48.0 MiB/s");
        assert_eq!(bar(&HALF, 50), "  7f2b1c09d1aa  10.0 / 20.0 MiB   48.0 MiB/s");
        assert_eq!(bar(&HALF, 40), "  7f2b1c09d1aa  10.0 / 20.0 MiB");
        assert_eq!(bar(&HALF, 20), "  7f2b1c09d1aa  1...");
    }

    proptest! {
        #[test]
        fn no_bar_is_wider_than_the_terminal(done in 0_u16..1200, width in 4_usize..240, amount in "[ -~]{0,60}") {
            let line = bar(&Bar { done, amount: &amount, ..HALF }, width);
            prop_assert!(line.chars().count() <= width, "{line}");
        }
    }
}
