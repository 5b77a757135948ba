//! Heads and answers of HTTP/1.1 (RFC 9112), no more of it than a registry meets.

/// The head of a request. Header names are lower case, path segments and query values are decoded.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// The target as it was sent.
    pub(crate) target: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
}

/// How long the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
}

impl Head {
    /// Parses everything up to the empty line. The error says what is against the RFC.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the head is no text".to_owned())?;
        let mut lines = text.split("\r\n");
        let request_line = lines.next().unwrap_or_default();
        let words: Vec<&str> = request_line.split(' ').collect();
        let &[method, target, "HTTP/1.1"] = words.as_slice() else {
            return Err(format!("`{request_line}` is no request line"));
        };
        if !target.starts_with('/') || target.contains('#') {
            return Err(format!("`{target}` is no target in origin form"));
        }
        let headers =
            lines.filter(|line| !line.is_empty()).map(header_line).collect::<Result<Vec<_>, _>>()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let head = Self {
            method: method.to_owned(),
            target: target.to_owned(),
            path: decoded(path, Plus::IsPlus)?,
            query: pairs(query)?,
            headers,
        };
        match head.values("host").count() {
            1 => Ok(head),
            hosts => Err(format!("{hosts} Host headers")),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    pub(crate) fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn framing(&self) -> Result<Framing, String> {
        let lengths: Vec<&str> = self.values("content-length").collect();
        match (self.header("transfer-encoding"), lengths.as_slice()) {
            (None, []) => Ok(Framing::Length(0)),
            (None, [length]) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse().map(Framing::Length).map_err(|_| format!("length `{length}`"))
            }
            (Some(coding), []) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
            _ => Err("the length of the body is said twice, or is no number".to_owned()),
        }
    }

    pub(crate) fn expects_continue(&self) -> bool {
        self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }

    pub(crate) fn wants_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

fn header_line(line: &str) -> Result<(String, String), String> {
    let (name, value) = line.split_once(':').ok_or_else(|| format!("`{line}` is no header"))?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("`{name}` is no header name"));
    }
    Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
}

/// The fields of a form; none when it is broken.
pub(super) fn form(body: &[u8]) -> Vec<(String, String)> {
    std::str::from_utf8(body).ok().and_then(|text| pairs(text).ok()).unwrap_or_default()
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, String> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Ok((decoded(name, Plus::IsSpace)?, decoded(value, Plus::IsSpace)?))
    };
    parts.map(pair).collect()
}

/// What a plus sign means; it differs between a path and a query as servers read them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    IsPlus,
    IsSpace,
}

fn decoded(text: &str, plus: Plus) -> Result<String, String> {
    let refused = || format!("`{text}` is not percent-encoded");
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let pair = [bytes.next().ok_or_else(refused)?, bytes.next().ok_or_else(refused)?];
                let digits = std::str::from_utf8(&pair).map_err(|_| refused())?;
                u8::from_str_radix(digits, 16).map_err(|_| refused())?
            }
            b'+' if plus == Plus::IsSpace => b' ',
            other => other,
        });
    }
    String::from_utf8(out).map_err(|_| refused())
}

/// An answer. `Content-Length` is added when it is written; a body under HEAD is measured and not sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn text(status: u16, text: &str) -> Self {
        Self::new(status).with("Content-Type", "text/plain; charset=utf-8").body(text)
    }

    /// What nginx says for itself.
    pub(crate) fn html(status: u16, title: &str) -> Self {
        let page = format!(
            "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n</body>\r\n</html>\r\n"
        );
        Self::new(status).with("Content-Type", "text/html").body(page)
    }

    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status).with("Content-Type", "application/json").body(value.to_string())
    }

    /// The error body of the distribution spec, "Error Codes".
    pub(crate) fn refused(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &serde_json::json!({ "errors": [{ "code": code, "message": message }] }))
    }

    /// The head as bytes, the empty line included.
    pub(crate) fn head_bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.extend([name.as_str(), ": ", value, "\r\n"]);
        }
        // Neither may have a length (RFC 9110, 8.6), and a strict client minds.
        let has_length = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if self.status != 204 && self.status != 304 && !has_length {
            head.extend(["Content-Length: ", &self.body.len().to_string(), "\r\n"]);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Request Entity Too Large",
        416 => "Requested Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &str) -> Result<Head, String> {
        Head::parse(head.as_bytes())
    }

    #[test]
    fn a_query_is_decoded_and_a_path_keeps_its_plus() {
        let head = parse("GET /v2/a+b/x?digest=sha256%3Aab&q=1+2&flag HTTP/1.1\r\nHost: h").unwrap();
        assert_eq!(head.path, "/v2/a+b/x");
        assert_eq!(head.query("digest"), Some("sha256:ab"));
        assert_eq!(head.query("q"), Some("1 2"));
        assert_eq!(head.query("flag"), Some(""));
    }

    #[test]
    fn what_is_no_http_is_refused() {
        let bad = [
            "GET / HTTP/1.0\r\nHost: h",
            "GET http://h/ HTTP/1.1\r\nHost: h",
            "GET / HTTP/1.1",
            "GET / HTTP/1.1\r\nHost: h\r\nHost: i",
            "GET / HTTP/1.1\r\nHost: h\r\n folded",
            "GET /%zz HTTP/1.1\r\nHost: h",
        ];
        for head in bad {
            assert!(parse(head).is_err(), "{head}");
        }
    }

    #[test]
    fn a_length_is_said_once() {
        let framing =
            |lines: &str| parse(&format!("PUT / HTTP/1.1\r\nHost: h\r\n{lines}")).unwrap().framing();
        assert_eq!(framing("Content-Length: 5"), Ok(Framing::Length(5)));
        assert_eq!(framing("Transfer-Encoding: chunked"), Ok(Framing::Chunked));
        assert_eq!(framing(""), Ok(Framing::Length(0)));
        assert!(framing("Content-Length: 5\r\nTransfer-Encoding: chunked").is_err());
        assert!(framing("Content-Length: 5\r\nContent-Length: 5").is_err());
        assert!(framing("Content-Length: -5").is_err());
    }
}
