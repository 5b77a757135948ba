/// The records of a PAX header that change what an entry is (POSIX, `pax` interchange format).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) linkpath: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// The bytes of the entry are not those of the file (`GNU.sparse.*`).
    pub(super) sparse: bool,
}

impl Pax {
    /// Reads all records. A record that cannot be read is a fault of the whole header: another reader
    /// might see a size in it, and take other bytes for the next entry (CVE-2025-62518).
    ///
    /// # Errors
    /// What is wrong, as a fragment of a sentence.
    pub(super) fn parse(mut records: &[u8]) -> Result<Self, &'static str> {
        let mut pax = Self::default();
        while !records.is_empty() {
            let (key, value, rest) = record(records).ok_or("a PAX record is malformed")?;
            pax.take(key, value)?;
            records = rest;
        }
        Ok(pax)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let twice = match key {
            b"path" => self.path.replace(value.to_owned()).is_some(),
            b"linkpath" => self.linkpath.replace(value.to_owned()).is_some(),
            b"size" => {
                let size = decimal(value).ok_or("the size in a PAX record is no number")?;
                self.size.replace(size).is_some()
            }
            key if key.starts_with(b"GNU.sparse.") => {
                self.sparse = true;
                false
            }
            _ => false,
        };
        if twice { Err("a PAX record stands twice") } else { Ok(()) }
    }

    /// Whether these records would change entries. In a global header they would change all that follow,
    /// and readers do not agree on it.
    pub(super) fn changes_entries(&self) -> bool {
        *self != Self::default()
    }
}

/// Splits `<length> <key>=<value>\n` off; the length counts all of it.
fn record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().take(20).position(|byte| *byte == b' ')?;
    let len = usize::try_from(decimal(records.get(..space)?)?).ok()?;
    let (record, rest) = records.split_at_checked(len)?;
    let pair = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    Some((pair.get(..equals)?, pair.get(equals + 1..)?, rest))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_are_read_by_their_length() {
        let pax = Pax::parse(b"13 path=a\nb\n\n12 size=123\n").unwrap();
        assert_eq!(pax.path.as_deref(), Some(b"a\nb\n".as_slice()));
        assert_eq!(pax.size, Some(123));
    }

    #[test]
    fn records_that_two_readers_could_read_differently_are_refused() {
        for text in [
            "13 size=9e99\n",
            "29 size=18446744073709551616\n",
            "99 size=1\n",
            "+9 size=1\n",
            "11 size=1\n",
            "9 size=+1\n",
            "size=1\n",
            "\n9 size=1\n",
            "9 size=1\n9 size=2\n",
            "4 x\n",
        ] {
            let refused = Pax::parse(text.as_bytes());
            assert!(refused.is_err(), "{text:?} gave {refused:?}");
        }
    }

    #[test]
    fn sparse_entries_are_noticed_in_all_their_spellings() {
        assert!(Pax::parse(b"22 GNU.sparse.major=1\n").unwrap().sparse);
        assert!(!Pax::parse(b"18 mtime=12345678\n").unwrap().changes_entries());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Pax::parse(&bytes);
        }
    }
}
