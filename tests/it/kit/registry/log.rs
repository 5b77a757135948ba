//! What was asked, in order of arrival.

use super::http::Head;

/// One request. `began` and `ended` count on one clock of events, so that a test can compare order without
/// looking at times.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) method: String,
    /// Decoded, without the query.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Bytes of the body that were read.
    pub(crate) body_bytes: u64,
    /// The body's first 256 KiB.
    pub(crate) body: Vec<u8>,
    /// Requests of one connection have one number.
    pub(crate) connection: u64,
    /// `None` where nothing was answered.
    pub(crate) status: Option<u16>,
    pub(crate) began: u64,
    /// When the answer was about to be written, or the request was given up.
    pub(crate) ended: Option<u64>,
    /// The name of the scripted fault.
    pub(crate) fault: Option<String>,
    /// Whether the token server was asked, on its own port.
    pub(crate) elsewhere: bool,
}

const BODY_KEPT: usize = 256 << 10;

impl Entry {
    pub(super) fn new(head: &Head, connection: u64, began: u64) -> Self {
        Self {
            method: head.method.clone(),
            path: head.path.clone(),
            query: head.query.clone(),
            headers: head.headers.clone(),
            body_bytes: 0,
            body: Vec::new(),
            connection,
            status: None,
            began,
            ended: None,
            fault: None,
            elsewhere: false,
        }
    }

    pub(super) fn took(&mut self, piece: &[u8]) {
        self.body_bytes += piece.len() as u64;
        let room = BODY_KEPT.saturating_sub(self.body.len());
        self.body.extend(piece.iter().take(room));
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `PATCH /v2/web/blobs/uploads/1 202`: the whole log in this form is a readable snapshot.
    pub(crate) fn line(&self) -> String {
        let status = self.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        format!("{} {} {status}", self.method, self.path)
    }
}
