/// More names than this are not compared.
const MAX_NAMES: usize = 10_000;
const MAX_SHOWN: usize = 3;

/// The names that a mistyped one may have meant, the likeliest first.
pub(super) fn near(word: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let mut scored: Vec<(usize, String)> = names
        .take(MAX_NAMES)
        .filter_map(|name| likeness(&word.to_lowercase(), &name.to_lowercase()).map(|score| (score, name)))
        .collect();
    scored.sort();
    scored.dedup();
    scored.into_iter().take(MAX_SHOWN).map(|(_, name)| name).collect()
}

/// The smaller, the nearer; `None` for what nobody meant.
fn likeness(word: &str, name: &str) -> Option<usize> {
    if word.is_empty() || word.len() > 256 || name.len() > 256 {
        return None;
    }
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let edits = distance(word, name);
    if edits <= allowed {
        return Some(edits);
    }
    // `app` for `app.tar`, `web` for `team/web:1.0`, `web:2.0` for `team/web:1.0`.
    let begins = word.len() >= 2 && (name.starts_with(word) || (name.len() >= 2 && word.starts_with(name)));
    let repository = |name: &str| {
        let last = name.rsplit('/').next().unwrap_or_default();
        last.split([':', '@']).next().unwrap_or_default().to_owned()
    };
    let same = word.len() >= 3 && repository(word) == repository(name);
    (begins || same).then_some(4)
}

/// Single letters put in, left out or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let best = (*cell + 1).min(left + 1).min(diagonal + usize::from(x != *y));
            diagonal = *cell;
            *cell = best;
            left = best;
        }
    }
    // The first column is never read back: `left` carries it.
    if b.is_empty() { a.chars().count() } else { row.last().copied().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest(word: &str, names: &[&str]) -> Vec<String> {
        near(word, names.iter().map(ToString::to_string))
    }

    #[test]
    fn the_distance_counts_single_edits() {
        for (a, b, edits) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("a", "a", 0)]
        {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn a_typing_mistake_is_recognised_and_a_stranger_is_not() {
        let names = ["app.tar", "web.tar", "notes.txt", "Makefile"];
        assert_eq!(nearest("ap.tar", &names), ["app.tar"]);
        assert_eq!(nearest("app", &names), ["app.tar"]);
        assert!(nearest("database", &names).is_empty());
    }

    #[test]
    fn an_image_is_recognised_by_a_part_of_its_name() {
        assert_eq!(nearest("api", &["team/api:2.1", "web:1.0"]), ["team/api:2.1"]);
        assert_eq!(nearest("api:3", &["team/api:2.1", "web:1.0"]), ["team/api:2.1"]);
        assert_eq!(nearest("web:1.1", &["team/api:2.1", "web:1.0"]), ["web:1.0"]);
    }
}
