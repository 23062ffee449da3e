//! A server that speaks S3's protocol: moto, which others test their clients of Amazon with. And the same with the protocol of
//! Google Cloud Storage.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::failure::{Context as _, Failure, OrFail as _};
use crate::folders::try_temp_dir;
use crate::kafka::Unavailable;
use crate::leash::{Launch, Leashed};
use crate::ports::on_free_port;
use crate::progress::say;
use crate::python::Python;

const SLOWEST_START: Duration = Duration::from_secs(60);
const SERVER: &str = include_str!("object_server.py");
const SLOWEST_COPY: Duration = Duration::from_secs(300);
/// Reads all objects of a bucket with Amazon's own client.
const COPY: &str = "\
import boto3, os, sys
url, key, secret, bucket, folder = sys.argv[1:]
s3 = boto3.client('s3', endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, region_name='us-west-2')
for page in s3.get_paginator('list_objects_v2').paginate(Bucket=bucket):
    for entry in page.get('Contents', []):
        path = os.path.join(folder, entry['Key'])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        s3.download_file(bucket, entry['Key'], path)
";

/// A server of a test's own, which keeps everything in memory. It ends with the value, or with the process that made it.
#[derive(Debug)]
pub struct S3Server {
    // Dropped before the folder, so that nothing is written into a folder that is being removed.
    process: Leashed,
    port: u16,
    folder: TempDir,
}

impl S3Server {
    /// The id of a key that it takes; it takes any.
    pub const KEY_ID: &str = "test-key";
    /// The secret that goes with it.
    pub const SECRET: &str = "test-secret";

    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// [`Unavailable::Unresolvable`] when its packages are not to be had; otherwise when Python is missing, or it does not
    /// come up (with its log).
    pub fn start() -> Result<Self, Unavailable> {
        Self::launch("S3", None)
    }

    /// Starts one that replaces objects although it is asked to create them only where there is none.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_careless() -> Result<Self, Unavailable> {
        Self::launch("S3 without conditions", Some("careless"))
    }

    fn launch(name: &'static str, kind: Option<&str>) -> Result<Self, Unavailable> {
        let python = Python::for_lake()?;
        let folder = try_temp_dir()?;
        let log = folder.path().join("server.log");
        let began = Instant::now();
        let (port, process) = on_free_port("already in use", |port| {
            let mut command = python.command();
            command.args(["-c", SERVER, &port.to_string()]).args(kind).current_dir(folder.path());
            let launch =
                Launch { name: "moto", command: &command, log: Some(&log), remove: Some(folder.path()) };
            let mut process = launch.start()?;
            process.wait_ready(SLOWEST_START, || request(port, "GET", "/").is_ok())?;
            Ok(process)
        })?;
        say(&format!("{name} ready at 127.0.0.1:{port} in {:.1?}", began.elapsed()));
        Ok(Self { process, port, folder })
    }

    /// The URL for `store.url`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket.
    #[track_caller]
    pub fn create_bucket(&self, name: &str) {
        let answer = request(self.port, "PUT", &format!("/{name}")).or_fail();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// How many uploads of a bucket were begun and neither completed nor aborted.
    #[track_caller]
    pub fn open_uploads(&self, bucket: &str) -> usize {
        request(self.port, "GET", &format!("/{bucket}?uploads")).or_fail().matches("<UploadId>").count()
    }

    /// Aborts all uploads of a bucket, as its rules may.
    #[track_caller]
    pub fn abort_uploads(&self, bucket: &str) {
        let answer = request(self.port, "GET", &format!("/{bucket}?uploads")).or_fail();
        let inside = |text: &str, tag: &str| {
            let (_, behind) = text.split_once(&format!("<{tag}>"))?;
            behind.split_once(&format!("</{tag}>")).map(|(value, _)| value.to_owned())
        };
        for upload in answer.split("<Upload>").skip(1) {
            let named = inside(upload, "Key").zip(inside(upload, "UploadId"));
            let (key, id) =
                named.ok_or_else(|| Failure::new(format!("no list of uploads: {answer}"))).or_fail();
            let path = format!("/{bucket}/{}?uploadId={id}", key.replace('+', "%2B"));
            let answer = request(self.port, "DELETE", &path).or_fail();
            assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        }
    }

    /// Copies all objects of a bucket into `folder`, with Amazon's own client.
    ///
    /// # Errors
    /// When that client is not to be had, or fails, with what it printed.
    pub fn copy_out(&self, bucket: &str, folder: &Path) -> Result<(), Failure> {
        let to = folder.display().to_string();
        let args = ["-c", COPY, &self.url(), Self::KEY_ID, Self::SECRET, bucket, &to];
        Python::for_lake()?.run(folder, &args, SLOWEST_COPY).map(drop)
    }

    /// Stops the server from running (SIGSTOP): connections stand, and nobody answers.
    #[track_caller]
    pub fn pause(&mut self) {
        self.process.pause().or_fail();
    }

    /// Lets a paused server go on (SIGCONT).
    #[track_caller]
    pub fn resume(&mut self) {
        self.process.resume().or_fail();
    }
}

/// A server with the protocol of Google Cloud Storage, as [`S3Server`] keeps its objects and behaves otherwise. It is no
/// emulator of Google's service: it translates what differs between the two protocols in what clients of the XML API send.
#[derive(Debug)]
pub struct GoogleServer {
    moto: S3Server,
    key: PathBuf,
}

impl GoogleServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// As [`S3Server::start`].
    pub fn start() -> Result<Self, Unavailable> {
        const KEY: &str = "service-account.json";
        let moto = S3Server::launch("Google's protocol", Some(KEY))?;
        let key = moto.folder.path().join(KEY);
        Ok(Self { moto, key })
    }

    /// The file with the key of the service account that it knows.
    pub fn key_path(&self) -> &Path {
        &self.key
    }

    /// The same server for clients of S3, which see the same objects.
    pub fn as_s3(&self) -> &S3Server {
        &self.moto
    }
}

/// Sends a request and reads the answer, head and body.
fn request(port: u16, method: &str, path: &str) -> Result<String, Failure> {
    let explain = || format!("no answer to {method} {path} at 127.0.0.1:{port}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context(explain)?;
    stream.set_read_timeout(Some(SLOWEST_START)).context(explain)?;
    let key = S3Server::KEY_ID;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={key}/20200101/us-east-1/s3/aws4_request\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).context(explain)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context(explain)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
