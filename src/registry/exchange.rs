use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::answer::Answer;
use super::courier::Courier;
use super::location::query_value;
use super::realm::Realm;
use super::request::{Scope, call};
use super::transport::{Call, Content};
use crate::port::{Identity, RegistryError, Secret};

/// Asks the token server (distribution's token specification; `OAuth2` for an identity token). Without
/// an identity an anonymous token is asked for.
pub(super) async fn request_token(
    courier: &Courier,
    (realm, service, scope): (&Realm, Option<&str>, &Scope),
    identity: Option<&Identity>,
    cancel: &CancellationToken,
) -> Result<Answer, RegistryError> {
    let mut fields: Vec<String> = Vec::new();
    fields.extend(service.map(|service| format!("service={}", query_value(service))));
    let answer = if let Some(Identity::Refresh(token)) = identity {
        fields.push(format!("scope={}", query_value(&scope.parts().join(" "))));
        let call = refreshing(realm, fields, token);
        courier.patiently(&realm.origin, &call, "the token server", cancel).await
    } else {
        fields.extend(scope.parts().iter().map(|part| format!("scope={}", query_value(part))));
        if let Some(Identity::Password { username, .. }) = identity {
            fields.push(format!("account={}", query_value(username)));
        }
        let path = with_query(&realm.path, &fields);
        let mut call = call(Method::GET, &path);
        if let Some(Identity::Password { username, password }) = identity
            && let Some(value) = basic(username, password)
        {
            call.headers.insert(header::AUTHORIZATION, value);
        }
        courier.patiently(&realm.origin, &call, "the token server", cancel).await
    }?;
    Ok(answer)
}

fn with_query(path: &str, fields: &[String]) -> String {
    let separator = match (fields.is_empty(), path.contains('?')) {
        (true, _) => "",
        (false, true) => "&",
        (false, false) => "?",
    };
    format!("{path}{separator}{}", fields.join("&"))
}

fn refreshing<'a>(realm: &'a Realm, mut fields: Vec<String>, token: &Secret) -> Call<'a> {
    fields.push("grant_type=refresh_token".to_owned());
    fields.push("client_id=idpbuilder-push".to_owned());
    fields.push(format!("refresh_token={}", query_value(token.expose())));
    let body = Bytes::from(fields.join("&"));
    let mut call = Call { content: Content::Bytes(body), ..call(Method::POST, &realm.path) };
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    call.headers.insert(header::CONTENT_TYPE, form);
    call
}

/// `Basic`, marked so that it is shown in no log.
pub(super) fn basic(username: &str, password: &Secret) -> Option<HeaderValue> {
    let pair = Zeroizing::new(format!("{username}:{}", password.expose()));
    sensitive(&Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes()))))
}

pub(super) fn bearer(token: &Secret) -> Option<HeaderValue> {
    sensitive(&Zeroizing::new(format!("Bearer {}", token.expose())))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
