//! What kind of registry it is; [`Settings::start`] makes one.

use std::time::Duration;

use super::certificate::Certificate;

/// Whose behaviour is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// distribution 3: Locations are absolute and carry a `_state` that changes with each step. A 416 says
    /// nothing more, the body of a single POST is ignored.
    Distribution,
    /// distribution 2.8: Content-Range is not looked at, and a `_state` that is no longer true is a 404 even
    /// when only the status is asked: after a lost answer there is no way back into a session.
    Distribution2,
    /// Gitea 1.26.
    Gitea,
    /// Gitea 1.24, which idpbuilder ships.
    Gitea124,
}

impl Manner {
    pub(crate) fn is_gitea(self) -> bool {
        matches!(self, Self::Gitea | Self::Gitea124)
    }
}

/// How a client proves who it is. Gitea has one way of its own and does not look at this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    Open,
    Basic,
    /// A token server at `/token` of the same origin.
    Bearer,
    /// A token server on another port.
    BearerElsewhere,
}

/// Whether the registry knows what refers to a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Referrers {
    Ignored,
    Kept,
}

/// What stands before the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    Nothing,
    Nginx,
}

/// What an access token of Gitea is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Write,
    Read,
    Nothing,
}

/// Somebody who can log in. May write everywhere, unless it is said otherwise.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(super) password: String,
    pub(super) writes: Option<Vec<String>>,
    pub(super) access_tokens: Vec<(String, Scope)>,
}

impl User {
    pub(crate) fn new(name: &str, password: &str) -> Self {
        let (name, password) = (name.to_owned(), password.to_owned());
        Self { name, password, writes: None, access_tokens: Vec::new() }
    }

    /// Repositories that start like this, instead of all; several calls add up. On Gitea, for an owner: `team/`.
    pub(crate) fn writes_only(mut self, prefix: &str) -> Self {
        self.writes.get_or_insert_default().push(prefix.to_owned());
        self
    }

    pub(crate) fn reads_only(mut self) -> Self {
        self.writes = Some(Vec::new());
        self
    }

    pub(crate) fn access_token(mut self, token: &str, scope: Scope) -> Self {
        self.access_tokens.push((token.to_owned(), scope));
        self
    }

    pub(super) fn may_write(&self, repository: &str) -> bool {
        self.writes
            .as_ref()
            .is_none_or(|prefixes| prefixes.iter().any(|prefix| repository.starts_with(prefix)))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(super) manner: Manner,
    pub(super) login: Login,
    pub(super) users: Vec<User>,
    pub(super) owners: Vec<String>,
    pub(super) private: Vec<String>,
    pub(super) renamed_owners: Vec<(String, String)>,
    pub(super) certificate: Option<Certificate>,
    pub(super) front: Front,
    pub(super) body_limit: u64,
    pub(super) manifest_limit: u64,
    pub(super) quota: Option<u64>,
    pub(super) chunk_min_length: Option<u64>,
    pub(super) length_required: bool,
    pub(super) single_posts: bool,
    pub(super) full_refusals: bool,
    pub(super) token_lifetime: Duration,
    pub(super) token_uses: Option<u32>,
    pub(super) clock_offset: i64,
    pub(super) requests_per_connection: Option<u32>,
    pub(super) receive_buffer: Option<u32>,
    pub(super) referrers: Referrers,
}

impl Settings {
    pub(super) fn new(manner: Manner) -> Self {
        let gitea = manner.is_gitea();
        let administrator = User::new(super::USER, super::PASSWORD);
        Self {
            manner,
            login: Login::Open,
            users: if gitea { vec![administrator] } else { Vec::new() },
            owners: Vec::new(),
            private: Vec::new(),
            renamed_owners: Vec::new(),
            certificate: None,
            front: Front::Nothing,
            body_limit: u64::MAX,
            manifest_limit: if gitea { 10 << 20 } else { 4 << 20 },
            quota: None,
            chunk_min_length: None,
            length_required: false,
            single_posts: gitea,
            full_refusals: false,
            token_lifetime: Duration::from_hours(24),
            token_uses: None,
            clock_offset: 0,
            requests_per_connection: None,
            receive_buffer: None,
            referrers: Referrers::Ignored,
        }
    }

    /// How distribution asks who it is; nobody may write without, and nobody exists but the users given.
    pub(crate) fn login(mut self, login: Login) -> Self {
        self.login = login;
        self
    }

    /// One more who can log in; on Gitea also one more owner, its name in lower case.
    pub(crate) fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// One more owner of packages on Gitea: an organisation.
    pub(crate) fn owner(mut self, name: &str) -> Self {
        self.owners.push(name.to_owned());
        self
    }

    /// Repositories that start like this are read only by those who may write them.
    pub(crate) fn private(mut self, prefix: &str) -> Self {
        self.private.push(prefix.to_owned());
        self
    }

    /// An owner of Gitea that has another name now: 307.
    pub(crate) fn renamed_owner(mut self, old: &str, new: &str) -> Self {
        self.renamed_owners.push((old.to_owned(), new.to_owned()));
        self.owner(new)
    }

    /// TLS with a certificate as idpbuilder makes it, for `host` and `*.host`.
    pub(crate) fn https(self, host: &str) -> Self {
        self.certificate(Certificate::of_cluster(host))
    }

    pub(crate) fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Bodies are taken whole before the registry sees them: a client that leaves while it sends leaves its
    /// session clean, one that leaves after its last byte poisons it. Limits bodies to 1 GiB.
    pub(crate) fn behind_nginx(mut self) -> Self {
        self.front = Front::Nginx;
        self.body_limit(1 << 30)
    }

    /// Above it: 413 in HTML before the body is read, and the connection is closed.
    pub(crate) fn body_limit(mut self, bytes: u64) -> Self {
        self.body_limit = bytes;
        self
    }

    /// 10 MiB on Gitea, 4 MiB elsewhere.
    pub(crate) fn manifest_limit(mut self, bytes: u64) -> Self {
        self.manifest_limit = bytes;
        self
    }

    /// Bytes of different blobs that may be stored; above it, 403 with an empty body at the end of an upload.
    pub(crate) fn quota(mut self, bytes: u64) -> Self {
        self.quota = Some(bytes);
        self
    }

    /// Said by `OCI-Chunk-Min-Length`, and held: a shorter chunk that is not the last is a 416.
    pub(crate) fn chunk_min_length(mut self, bytes: u64) -> Self {
        self.chunk_min_length = Some(bytes);
        self
    }

    /// Takes a blob in one POST, as the spec allows; Gitea does, distribution does not.
    pub(crate) fn single_posts(mut self) -> Self {
        self.single_posts = true;
        self
    }

    /// A 416 says by Range and Location where the session stands.
    pub(crate) fn full_refusals(mut self) -> Self {
        self.full_refusals = true;
        self
    }

    /// A chunked body is a 411.
    pub(crate) fn length_required(mut self) -> Self {
        self.length_required = true;
        self
    }

    /// Keeps the list of what refers to a manifest itself, and says so by `OCI-Subject`.
    pub(crate) fn keeps_referrers(mut self) -> Self {
        self.referrers = Referrers::Kept;
        self
    }

    pub(crate) fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// A token is refused from its use number `uses` + 1 on: an expiry without a clock.
    pub(crate) fn token_uses(mut self, uses: u32) -> Self {
        self.token_uses = Some(uses);
        self
    }

    /// Seconds that the registry's clock is ahead of ours.
    pub(crate) fn clock_offset(mut self, seconds: i64) -> Self {
        self.clock_offset = seconds;
        self
    }

    /// Closes a connection after so many requests, as nginx does after 1000.
    pub(crate) fn requests_per_connection(mut self, requests: u32) -> Self {
        self.requests_per_connection = Some(requests);
        self
    }

    /// Bytes that the kernel takes for a server that does not read (it doubles them): a stall shows sooner.
    pub(crate) fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }
}
