use std::fs;
use std::io::Write as _;
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
    /// `None` while it is away.
    server: Option<Server>,
    installed: Installed,
    pub(crate) port: u16,
    pub(crate) password: String,
    pub(crate) token: String,
}

impl Gitea {
    pub(crate) const ADMIN: &str = "giteaAdmin";

    pub(crate) fn start() -> Result<Self> {
        Self::start_on(None)
    }

    /// Its data, the database too, on a disk of so many bytes that only it can see.
    pub(crate) fn start_on_small_disk(bytes: u64) -> Result<Self> {
        Self::start_on(Some(bytes))
    }

    fn start_on(disk: Option<u64>) -> Result<Self> {
        let installed = Installed::new(disk)?;
        // Idpbuilder's passwords hold specials, which a shell or a URL would spoil.
        let password = "p@ss:w/rd#%20 'q\"$x&y?z=1+2~3\\4".to_owned();
        installed.run(&["migrate"])?;
        installed.create_admin(&password)?;
        let token = installed.token("e2e", "all")?;
        let port = installed.port;
        let server = Some(installed.serve()?);
        Ok(Self { server, installed, port, password, token })
    }

    fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("Gitea is away")
    }

    /// Lets it stand still: connections are taken by the kernel, and nobody answers.
    pub(crate) fn freeze(&self) -> Result<()> {
        self.server()?.signal("STOP")
    }

    pub(crate) fn thaw(&self) -> Result<()> {
        self.server()?.signal("CONT")
    }

    /// Without a chance to finish anything.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.server()?.signal("KILL")?;
        self.server = None;
        Ok(())
    }

    /// As it was told to end, so that it finishes what it is at.
    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    /// On the same data and port.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.server = Some(self.installed.serve()?);
        Ok(())
    }

    /// Tokens that it has given out are worth nothing when it starts again.
    pub(crate) fn change_token_secret(&self) -> Result<()> {
        let secret = self.installed.secret("JWT_SECRET")?;
        let path = self.installed.folder.path().join("app.ini");
        let settings = fs::read_to_string(&path)?;
        let changed = settings.lines().map(|line| match line.split_once(" = ") {
            Some((name @ "JWT_SECRET", _)) => format!("{name} = {}\n", secret.trim()),
            _ => format!("{line}\n"),
        });
        Ok(fs::write(path, changed.collect::<String>())?)
    }

    /// Its data as it sees them, which may be on a disk of its own.
    fn data(&self) -> Result<PathBuf> {
        let folder = self.installed.folder.path().join("data");
        let seen = PathBuf::from(format!("/proc/{}/root", self.server()?.pid()));
        Ok(if self.installed.disk.is_some() { seen.join(folder.strip_prefix("/")?) } else { folder })
    }

    pub(crate) fn database(&self) -> Result<PathBuf> {
        Ok(self.data()?.join("gitea.db"))
    }

    /// Takes all but so many bytes of its small disk; the room is there again when the file is gone.
    pub(crate) fn fill_disk(&self, left: u64) -> Result<PathBuf> {
        let path = self.data()?.join("ballast");
        let mut ballast = fs::File::create(&path)?;
        let free = || -> Result<u64> {
            let disk = rustix::fs::statvfs(&path)?;
            Ok(disk.f_bavail * disk.f_frsize)
        };
        while free()? > left {
            let piece = usize::try_from((free()? - left).min(1 << 20))?;
            ballast.write_all(&vec![1; piece])?;
        }
        Ok(path)
    }

    /// Where the content of a digest is stored.
    pub(crate) fn file_of(&self, digest: &str) -> Result<PathBuf> {
        let hash = digest.strip_prefix("sha256:").context("no sha256 digest")?;
        Ok(self.data()?.join(format!("packages/{}/{}/{hash}", &hash[..2], &hash[2..4])))
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
    /// Bytes of the disk that its data are on, where that is not the machine's.
    disk: Option<u64>,
}

/// Runs what follows with a disk of its own for the data, on which it finds what was there before. A user
/// namespace gives the right to mount; both are gone when the program ends.
const ON_SMALL_DISK: [&str; 6] = [
    "--user",
    "--map-root-user",
    "--mount",
    "sh",
    "-ec",
    "cp -a \"$1\" \"$1.before\"; mount -t tmpfs -o size=\"$2\" small \"$1\"; cp -a \"$1.before/.\" \"$1\"; shift 2; exec \"$@\"",
];

impl Installed {
    fn new(disk: Option<u64>) -> Result<Self> {
        let root = built("gitea", "code.gitea.io/gitea", GO_MOD)?;
        let binary = root.join("gitea");
        let folder = tempfile::Builder::new().prefix("e2e-gitea-").tempdir()?;
        let port = free_port()?;
        let installed = Self { folder, binary, port, disk };
        let secret = |name: &str| installed.secret(name);
        let secrets = [secret("SECRET_KEY")?, secret("INTERNAL_TOKEN")?, secret("JWT_SECRET")?];
        let folder = installed.folder.path();
        fs::create_dir(folder.join("data"))?;
        fs::write(folder.join("app.ini"), app_ini(folder, &root, port, &secrets))?;
        Ok(installed)
    }

    fn secret(&self, name: &str) -> Result<String> {
        output(Command::new(&self.binary).args(["generate", "secret", name]))
    }

    fn serve(&self) -> Result<Server> {
        let mut command = match self.disk {
            None => self.command(),
            Some(bytes) => {
                let mut own = Command::new("unshare");
                own.args(ON_SMALL_DISK).arg("sh").arg(self.folder.path().join("data")).arg(bytes.to_string());
                own.arg(&self.binary);
                self.configured(own)
            }
        };
        Server::start("gitea", command.arg("web"), self.folder.path())?
            .ready(Duration::from_mins(1), || Endpoint::local(self.port).answers("/api/healthz"))
    }

    fn command(&self) -> Command {
        self.configured(Command::new(&self.binary))
    }

    fn configured(&self, mut command: Command) -> Command {
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
         [database]\nDB_TYPE = sqlite3\nPATH = {folder}/data/gitea.db\n\
         [security]\nINSTALL_LOCK = true\nSECRET_KEY = {secret_key}\nINTERNAL_TOKEN = {internal_token}\n\
         [oauth2]\nJWT_SECRET = {jwt_secret}\n\
         [packages]\nENABLED = true\n[repository]\nROOT = {folder}/repositories\n\
         [indexer]\nISSUE_INDEXER_TYPE = db\n[queue]\nTYPE = level\n[cache]\nADAPTER = memory\n\
         [session]\nPROVIDER = memory\n[service]\nDISABLE_REGISTRATION = true\n\
         [mailer]\nENABLED = false\n[actions]\nENABLED = false\n[cron.update_checker]\nENABLED = false\n\
         [log]\nLEVEL = Info\nROOT_PATH = {folder}/log\n"
    )
}
