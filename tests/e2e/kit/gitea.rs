use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::TempDir;

use super::http::Endpoint;
use super::process::{Server, built, free_port, output};

const GO_MOD: &str = include_str!("../../servers/gitea/go.mod");

/// A Gitea with a fresh sqlite database, and its administrator `giteaAdmin`, as idpbuilder sets it up.
pub(crate) struct Gitea {
    _server: Server,
    folder: TempDir,
    pub(crate) port: u16,
    pub(crate) password: String,
    pub(crate) token: String,
}

impl Gitea {
    pub(crate) const ADMIN: &str = "giteaAdmin";

    pub(crate) fn start() -> Result<Self> {
        let installed = Installed::new()?;
        // Idpbuilder's passwords hold specials, which a shell or a URL would spoil.
        let password = "p@ss:w/rd#%20 'q\"$x&y?z=1+2~3\\4".to_owned();
        installed.run(&["migrate"])?;
        installed.create_admin(&password)?;
        let token = installed.token("e2e", "all")?;
        let port = installed.port;
        let server = Server::start("gitea", installed.command().arg("web"), installed.folder.path())?
            .ready(Duration::from_mins(1), || Endpoint::local(port).answers("/api/healthz"))?;
        Ok(Self { _server: server, folder: installed.folder, port, password, token })
    }

    /// Where the content of a digest is stored.
    pub(crate) fn file_of(&self, digest: &str) -> Result<PathBuf> {
        let hash = digest.strip_prefix("sha256:").context("no sha256 digest")?;
        let below = format!("data/packages/{}/{}/{hash}", &hash[..2], &hash[2..4]);
        Ok(self.folder.path().join(below))
    }

    /// The administrator, straight to Gitea and past the ingress.
    pub(crate) fn admin(&self) -> Endpoint {
        Endpoint::basic(self.port, &self.token, "")
    }

    pub(crate) fn user(&self, name: &str, password: &str) -> Result<()> {
        let body = json!({ "username": name, "password": password, "email": format!("{name}@example.org"),
            "must_change_password": false });
        self.admin().json("POST", "/api/v1/admin/users", &body)?.expect(201).map(drop)
    }

    pub(crate) fn organisation(&self, name: &str) -> Result<()> {
        self.admin().json("POST", "/api/v1/orgs", &json!({ "username": name }))?.expect(201).map(drop)
    }

    /// A personal access token, for example with the scope `read:package`.
    pub(crate) fn access_token(&self, user: &str, password: &str, scope: &str) -> Result<String> {
        let body = json!({ "name": format!("{user} {scope}"), "scopes": [scope] });
        let path = format!("/api/v1/users/{user}/tokens");
        let answer =
            Endpoint::basic(self.port, user, password).json("POST", &path, &body)?.expect(201)?.json()?;
        Ok(answer["sha1"].as_str().context("no token in the answer")?.to_owned())
    }

    pub(crate) fn set_password(&self, user: &str, password: &str) -> Result<()> {
        let body = json!({ "login_name": user, "source_id": 0, "password": password });
        self.admin().json("PATCH", &format!("/api/v1/admin/users/{user}"), &body)?.expect(200).map(drop)
    }
}

/// Configured, and not yet running.
struct Installed {
    folder: TempDir,
    binary: PathBuf,
    port: u16,
}

impl Installed {
    fn new() -> Result<Self> {
        let root = built("gitea", "code.gitea.io/gitea", GO_MOD)?;
        let binary = root.join("gitea");
        let folder = tempfile::Builder::new().prefix("e2e-gitea-").tempdir()?;
        let port = free_port()?;
        let secret = |name: &str| output(Command::new(&binary).args(["generate", "secret", name]));
        let secrets = [secret("SECRET_KEY")?, secret("INTERNAL_TOKEN")?, secret("JWT_SECRET")?];
        fs::write(folder.path().join("app.ini"), app_ini(folder.path(), &root, port, &secrets))?;
        Ok(Self { folder, binary, port })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(self.folder.path().join("app.ini"));
        command.env("GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT", "true").env("HOME", self.folder.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<String> {
        output(self.command().args(arguments))
    }

    fn create_admin(&self, password: &str) -> Result<()> {
        let name = [
            "admin",
            "user",
            "create",
            "--admin",
            "--username",
            Gitea::ADMIN,
            "--email",
            "admin@example.org",
        ];
        let rest = ["--must-change-password=false", "--password", password];
        output(self.command().args(name).args(rest)).map(drop)
    }

    fn token(&self, name: &str, scopes: &str) -> Result<String> {
        let command = [
            "admin",
            "user",
            "generate-access-token",
            "-u",
            Gitea::ADMIN,
            "-t",
            name,
            "--scopes",
            scopes,
            "--raw",
        ];
        // As root a line of the log comes first.
        Ok(self.run(&command)?.lines().last().context("no token")?.to_owned())
    }
}

fn app_ini(folder: &Path, root: &Path, port: u16, secrets: &[String; 3]) -> String {
    let (folder, root) = (folder.display(), root.display());
    let [secret_key, internal_token, jwt_secret] = secrets.each_ref().map(|secret| secret.trim());
    format!(
        "WORK_PATH = {folder}\nRUN_MODE = prod\n\
         [server]\nPROTOCOL = http\nHTTP_ADDR = 127.0.0.1\nHTTP_PORT = {port}\nSTATIC_ROOT_PATH = {root}\n\
         ROOT_URL = https://gitea.cnoe.localtest.me:8443/\nLOCAL_ROOT_URL = http://127.0.0.1:{port}/\n\
         APP_DATA_PATH = {folder}/data\nDISABLE_SSH = true\nOFFLINE_MODE = true\nLFS_START_SERVER = false\n\
         [database]\nDB_TYPE = sqlite3\nPATH = {folder}/gitea.db\n\
         [security]\nINSTALL_LOCK = true\nSECRET_KEY = {secret_key}\nINTERNAL_TOKEN = {internal_token}\n\
         [oauth2]\nJWT_SECRET = {jwt_secret}\n\
         [packages]\nENABLED = true\n[repository]\nROOT = {folder}/repositories\n\
         [indexer]\nISSUE_INDEXER_TYPE = db\n[queue]\nTYPE = level\n[cache]\nADAPTER = memory\n\
         [session]\nPROVIDER = memory\n[service]\nDISABLE_REGISTRATION = true\n\
         [mailer]\nENABLED = false\n[actions]\nENABLED = false\n[cron.update_checker]\nENABLED = false\n\
         [log]\nLEVEL = Info\nROOT_PATH = {folder}/log\n"
    )
}
