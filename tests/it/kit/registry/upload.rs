//! Blobs on their way in (distribution-spec 1.1, "Pushing blobs").

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;

use super::exchange::Exchange;
use super::gitea::repository_name;
use super::http::Answer;
use super::login;
use super::settings::{Manner, Settings};
use super::state::{Shared, State};
use super::store::{Condition, Session, digest_like, is_digest, sha256};
use super::wire::Cut;

/// POST: a mount, a blob in one request, or a new session.
pub(super) async fn open(exchange: &mut Exchange<'_>, repository: &str) -> Result<Answer, Cut> {
    if let Some(answer) = mount(exchange, repository) {
        return Ok(answer);
    }
    let (manner, takes) = (exchange.shared.settings.manner, exchange.shared.settings.single_posts);
    if let Some(digest) = exchange.head.query("digest").filter(|_| takes) {
        let digest = digest.to_owned();
        if let Some(refusal) = refused_media_type(exchange) {
            return Ok(refusal);
        }
        let body = exchange.whole_body(u64::MAX).await?.unwrap_or_default();
        if !is_digest(&digest) || digest_of(manner, &digest, &body).as_deref() != Some(&digest) {
            return Ok(digest_invalid());
        }
        let settings = &exchange.shared.settings;
        return Ok(exchange.shared.with(|state| commit(state, settings, repository, &digest, body.into())));
    }
    let id = exchange.shared.with(|state| state.store.open_session(repository));
    let answer = exchange.shared.with(|state| {
        let session = state.store.sessions.get(&id)?;
        Some(standing(exchange, 202, &id, session))
    });
    let answer = answer.unwrap_or_else(|| Answer::new(500));
    Ok(match exchange.shared.settings.chunk_min_length {
        Some(length) => answer.with("OCI-Chunk-Min-Length", length.to_string()),
        None => answer,
    })
}

/// Everything else that is asked of a session.
pub(super) async fn session(exchange: &mut Exchange<'_>, repository: &str, id: &str) -> Result<Answer, Cut> {
    if let Some(refusal) = refused_session(exchange, repository, id) {
        return Ok(refusal);
    }
    match exchange.head.method.as_str() {
        "GET" => Ok(status(exchange, 204, id)),
        "DELETE" => {
            exchange.shared.with(|state| state.store.sessions.remove(id));
            Ok(Answer::new(204))
        }
        "PATCH" => {
            if let Some(refusal) = refused_chunk(exchange, id) {
                return Ok(refusal);
            }
            receive(exchange, id).await?;
            Ok(status(exchange, 202, id))
        }
        "PUT" => finish(exchange, repository, id).await,
        _ => Ok(Answer::refused(405, "UNSUPPORTED", "the operation is unsupported")),
    }
}

async fn receive(exchange: &mut Exchange<'_>, id: &str) -> Result<(), Cut> {
    if let Some(occupied) = &mut exchange.occupied {
        occupied.receiving();
    }
    let mut taken = 0;
    while let Some(piece) = exchange.piece().await? {
        taken += piece.len() as u64;
        exchange.shared.with(|state| state.store.sessions.get_mut(id).map(|session| session.append(&piece)));
    }
    if let Some(occupied) = &mut exchange.occupied {
        occupied.received();
    }
    let shortest = exchange.shared.settings.chunk_min_length.unwrap_or(0);
    exchange.shared.with(|state| {
        if let Some(session) = state.store.sessions.get_mut(id).filter(|_| taken > 0) {
            session.step += 1;
            session.was_short = taken < shortest;
        }
    });
    Ok(())
}

async fn finish(exchange: &mut Exchange<'_>, repository: &str, id: &str) -> Result<Answer, Cut> {
    let Some(digest) = exchange.head.query("digest").filter(|digest| is_digest(digest)).map(str::to_owned)
    else {
        return Ok(digest_invalid());
    };
    if has_body(exchange)
        && exchange.head.header("content-range").is_some()
        && let Some(refusal) = refused_chunk(exchange, id)
    {
        return Ok(refusal);
    }
    receive(exchange, id).await?;
    let settings = exchange.shared.settings.clone();
    Ok(exchange.shared.with(|state| {
        let Some(session) = state.store.sessions.get_mut(id) else { return session_unknown() };
        if session.condition == Condition::Poisoned {
            return Answer::new(500);
        }
        let sha256_only = settings.manner.is_gitea() && !digest.starts_with("sha256:");
        if sha256_only || !session.is(&digest) {
            // The session stays, and so do its bytes.
            return digest_invalid();
        }
        let bytes = Bytes::from(std::mem::take(&mut session.bytes));
        let answer = commit(state, &settings, repository, &digest, bytes.clone());
        if answer.status == 201 {
            state.store.sessions.remove(id);
        } else if let Some(session) = state.store.sessions.get_mut(id) {
            session.bytes = bytes.into();
        }
        answer
    }))
}

/// Takes a whole blob in.
fn commit(state: &mut State, settings: &Settings, repository: &str, digest: &str, bytes: Bytes) -> Answer {
    let repository = name(settings, repository);
    if state.store.blob(&repository, digest).is_some() {
        state.violation(format!("blob {digest} was uploaded to `{repository}`, which had it"));
    }
    if settings.quota.is_some_and(|quota| state.store.stored_bytes() + bytes.len() as u64 > quota) {
        // Gitea takes back what it believes to be its new file, whoever else refers to it.
        state.store.contents.remove(digest);
        return Answer::new(403);
    }
    state.store.add_blob(&repository, digest, bytes);
    created(&repository, digest)
}

fn created(repository: &str, digest: &str) -> Answer {
    Answer::new(201)
        .with("Location", format!("/v2/{repository}/blobs/{digest}"))
        .with("Docker-Content-Digest", digest)
}

fn mount(exchange: &Exchange<'_>, repository: &str) -> Option<Answer> {
    let (shared, head) = (&exchange.shared, &exchange.head);
    let digest = head.query("mount")?;
    let from = head.query("from");
    let settings = &shared.settings;
    shared.with(|state| {
        let may_read = |name: &String| login::may_read(settings, &exchange.caller, name);
        let mut candidates = state.store.repositories.keys().filter(|name| match from {
            Some(from) => *name == from,
            None => settings.manner.is_gitea(),
        });
        candidates.find(|name| may_read(name) && state.store.blob(name, digest).is_some())?;
        let repository = name(settings, repository);
        state.store.link(&repository, digest);
        Some(created(&repository, digest))
    })
}

/// The repository as it is stored.
pub(super) fn name(settings: &Settings, repository: &str) -> String {
    if settings.manner.is_gitea() { repository_name(repository) } else { repository.to_owned() }
}

fn digest_of(manner: Manner, like: &str, bytes: &[u8]) -> Option<String> {
    if manner.is_gitea() { Some(sha256(bytes)) } else { digest_like(like, bytes) }
}

fn has_body(exchange: &Exchange<'_>) -> bool {
    exchange.head.header("content-length").is_none_or(|length| length != "0")
}

fn refused_media_type(exchange: &Exchange<'_>) -> Option<Answer> {
    if exchange.shared.settings.manner.is_gitea() || !has_body(exchange) {
        return None;
    }
    let octets = exchange.head.header("content-type") == Some("application/octet-stream");
    (!octets).then(|| Answer::refused(415, "UNSUPPORTED", "a blob is application/octet-stream"))
}

/// Before anything is read: is there such a session, and is it spoken to as it wants to be?
fn refused_session(exchange: &Exchange<'_>, repository: &str, id: &str) -> Option<Answer> {
    let (shared, head) = (&exchange.shared, &exchange.head);
    let writes = matches!(head.method.as_str(), "PATCH" | "PUT");
    let verdict = shared.with(|state| {
        let Some(session) = state.store.sessions.get_mut(id) else { return Some(session_unknown()) };
        if shared.settings.manner.is_gitea() {
            // Its sessions belong to no image, and a broken one says so with nothing.
            return (writes && session.condition == Condition::Poisoned).then(|| Answer::new(500));
        }
        if session.repository != repository {
            return Some(upload_invalid(404));
        }
        let sent = head.query("_state");
        if sent == Some(seal(id, session.step).as_str()) {
            return None;
        }
        if !(0..session.step).any(|step| sent == Some(seal(id, step).as_str())) {
            state.violation(format!("{} {}: `_state` is not one that was given out", head.method, head.path));
            return Some(upload_invalid(404));
        }
        if shared.settings.manner == Manner::Distribution2 {
            session.condition = Condition::Lost;
            return Some(upload_invalid(404));
        }
        writes.then(|| out_of_range(exchange, id, session))
    });
    verdict.or_else(|| writes.then(|| refused_media_type(exchange)).flatten())
}

/// Whether this chunk may come now, by its Content-Range.
fn refused_chunk(exchange: &Exchange<'_>, id: &str) -> Option<Answer> {
    let (shared, head) = (&exchange.shared, &exchange.head);
    let range = head.header("content-range");
    if shared.settings.manner == Manner::Distribution2 {
        return None;
    }
    shared.with(|state| {
        let session = state.store.sessions.get(id)?;
        let gitea = shared.settings.manner.is_gitea();
        let Some(range) = range else {
            return (gitea && session.len() > 0).then(|| upload_invalid(400));
        };
        let Some((start, end)) = bare_range(range) else { return Some(upload_invalid(400)) };
        if start != session.len() {
            return Some(out_of_range(exchange, id, session));
        }
        if gitea {
            return None;
        }
        let length = head.header("content-length").and_then(|length| length.parse::<u64>().ok());
        if end.checked_sub(start).map(|last| last + 1) != length {
            return Some(Answer::refused(400, "SIZE_INVALID", "Content-Range and Content-Length differ"));
        }
        session.was_short.then(|| out_of_range(exchange, id, session))
    })
}

/// `<start>-<end>`, without a unit (distribution-spec 1.1, "Pushing a blob in chunks").
fn bare_range(text: &str) -> Option<(u64, u64)> {
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let (start, end) = text.split_once('-')?;
    Some((number(start)?, number(end)?))
}

fn status(exchange: &Exchange<'_>, status: u16, id: &str) -> Answer {
    exchange.shared.with(|state| match state.store.sessions.get(id) {
        Some(session) => standing(exchange, status, id, session),
        None => session_unknown(),
    })
}

/// An answer that says where a session stands.
fn standing(exchange: &Exchange<'_>, status: u16, id: &str, session: &Session) -> Answer {
    let (shared, head) = (&exchange.shared, &exchange.head);
    let answer = Answer::new(status).with("Docker-Upload-Uuid", id);
    let path = format!("/v2/{}/blobs/uploads/{id}", name(&shared.settings, &session.repository));
    let end = session.len().saturating_sub(1);
    if shared.settings.manner.is_gitea() {
        let answer = answer.with("Location", path);
        return if session.len() == 0 { answer } else { answer.with("Range", format!("0-{end}")) };
    }
    let location = location(shared, head.header("host").unwrap_or_default(), &path);
    answer
        .with("Location", format!("{location}?_state={}", seal(id, session.step)))
        .with("Range", format!("0-{end}"))
}

/// 416. Real servers do not say more unless the script wants it.
fn out_of_range(exchange: &Exchange<'_>, id: &str, session: &Session) -> Answer {
    let settings = &exchange.shared.settings;
    match (settings.full_refusals, settings.manner.is_gitea()) {
        (true, _) => standing(exchange, 416, id, session),
        (false, true) => upload_invalid(416),
        (false, false) => Answer::refused(416, "RANGE_INVALID", "invalid content range"),
    }
}

fn location(shared: &Shared, host: &str, path: &str) -> String {
    format!("{}://{host}{path}", shared.scheme())
}

/// What distribution signs into a Location: it must come back as it was.
fn seal(id: &str, step: u64) -> String {
    URL_SAFE.encode(sha256(format!("{id} {step}").as_bytes()))
}

fn digest_invalid() -> Answer {
    Answer::refused(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
}

fn session_unknown() -> Answer {
    Answer::refused(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
}

fn upload_invalid(status: u16) -> Answer {
    Answer::refused(status, "BLOB_UPLOAD_INVALID", "blob upload invalid")
}
