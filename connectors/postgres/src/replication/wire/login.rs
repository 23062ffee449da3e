//! Logging in.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use lavka_api::config::Password;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::{backend, frontend};

use super::{Message, Wire, protocol, server_error};
use crate::database::WireError;

/// Rounds of SCRAM's hash above which a server is not believed: each costs a microsecond, and a server decides on them
/// before it has shown that it knows the password. The default is 4096.
const MAX_ROUNDS: u64 = 1_000_000;

/// Who logs in for replication, and with which settings.
pub(in crate::replication) struct Login<'a> {
    pub(in crate::replication) user: &'a str,
    pub(in crate::replication) password: &'a Password,
    pub(in crate::replication) database: &'a str,
    /// The session's settings, as `postgres -c` takes them.
    pub(in crate::replication) options: &'a str,
}

impl Wire {
    /// Logs in: with a password in the clear, by MD5 or by SCRAM-SHA-256, as the server asks for it.
    ///
    /// # Errors
    /// Where the server does not let us in, or asks for something else.
    pub(in crate::replication) async fn log_in(&mut self, login: &Login<'_>) -> Result<(), WireError> {
        let parameters = [
            ("user", login.user),
            ("database", login.database),
            ("replication", "database"),
            ("client_encoding", "UTF8"),
            ("application_name", "Lavka PostgreSQL connector"),
            ("options", login.options),
        ];
        let mut out = BytesMut::new();
        frontend::startup_message(parameters, &mut out).map_err(protocol)?;
        let password = login.password.reveal().as_bytes();
        let mut scram = None;
        loop {
            if !out.is_empty() {
                self.send(&out.split()).await?;
            }
            let Message::Other(message) = self.next().await? else { continue };
            match message {
                backend::Message::AuthenticationCleartextPassword => {
                    frontend::password_message(password, &mut out).map_err(protocol)?;
                }
                backend::Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(login.user.as_bytes(), password, body.salt());
                    frontend::password_message(hash.as_bytes(), &mut out).map_err(protocol)?;
                }
                backend::Message::AuthenticationSasl(body) => {
                    if !body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256)).map_err(protocol)? {
                        return Err(refused("it offers no SCRAM-SHA-256"));
                    }
                    let started = scram.insert(ScramSha256::new(password, ChannelBinding::unsupported()));
                    frontend::sasl_initial_response(SCRAM_SHA_256, started.message(), &mut out)
                        .map_err(protocol)?;
                }
                backend::Message::AuthenticationSaslContinue(body) => {
                    let scram =
                        scram.as_mut().ok_or_else(|| refused("it goes on where nothing has begun"))?;
                    if rounds(body.data()).is_none_or(|rounds| rounds > MAX_ROUNDS) {
                        return Err(refused("it wants more rounds of SCRAM's hash than a million"));
                    }
                    scram.update(body.data()).map_err(|error| refused(error.to_string()))?;
                    frontend::sasl_response(scram.message(), &mut out).map_err(protocol)?;
                }
                backend::Message::AuthenticationSaslFinal(body) => {
                    let scram = scram.as_mut().ok_or_else(|| refused("it ends what has not begun"))?;
                    // Whether it knows the password itself.
                    scram.finish(body.data()).map_err(|error| refused(error.to_string()))?;
                }
                backend::Message::AuthenticationGss
                | backend::Message::AuthenticationKerberosV5
                | backend::Message::AuthenticationScmCredential
                | backend::Message::AuthenticationSspi => {
                    return Err(refused(
                        "it wants Kerberos or SSPI, which are not supported: let pg_hba.conf ask this user for \
                         scram-sha-256",
                    ));
                }
                backend::Message::ParameterStatus(status)
                    if status.name().is_ok_and(|name| name == "server_version") =>
                {
                    self.version = major(status.value().map_err(protocol)?);
                }
                backend::Message::ErrorResponse(error) => return Err(server_error(&error)),
                backend::Message::ReadyForQuery(_) => return Ok(()),
                _ => {}
            }
        }
    }
}

fn refused(why: impl Into<String>) -> WireError {
    WireError::Login(why.into())
}

/// The major version in `15.18 (Debian 15.18-0)`, `17beta1` and the like.
fn major(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The rounds that the server's first SCRAM message asks for (RFC 5802, section 5.1: the attribute `i`).
fn rounds(server_first: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(server_first).ok()?;
    text.split(',').find_map(|attribute| attribute.strip_prefix("i="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    fn request(code: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 8).unwrap();
        [b"R".as_slice(), &length.to_be_bytes(), &code.to_be_bytes(), body].concat()
    }

    async fn answer(far: &mut DuplexStream) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        let length = far.read(&mut bytes).await.unwrap();
        bytes.truncate(length);
        bytes
    }

    /// What logging in comes to where the server says `says`, one after each thing it is told; and what it was told.
    async fn log_in(says: &[Vec<u8>]) -> (Result<(), WireError>, Vec<Vec<u8>>) {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let mut wire = Wire::over(Box::new(near));
        let password = Password::new("secret");
        let login = Login { user: "dbz", password: &password, database: "inv", options: "-c a=b" };
        let server = async {
            let mut told = Vec::new();
            for message in says {
                told.push(answer(&mut far).await);
                far.write_all(message).await.unwrap();
            }
            told
        };
        tokio::join!(wire.log_in(&login), server)
    }

    #[tokio::test]
    async fn passwords_go_as_the_server_asks_for_them() {
        let ready = [request(0, b""), b"Z\0\0\0\x05I".to_vec()].concat();
        let (done, told) = log_in(&[request(3, b""), ready.clone()]).await;
        assert!(done.is_ok());
        let startup = String::from_utf8_lossy(told.first().unwrap()).into_owned();
        assert!(startup.contains("user\0dbz\0database\0inv\0replication\0database\0"), "{startup}");
        assert_eq!(told.get(1).unwrap(), b"p\0\0\0\x0bsecret\0");
        let (done, told) = log_in(&[request(5, b"salt"), ready]).await;
        assert!(done.is_ok());
        // md5(md5("secretdbz") + "salt").
        assert_eq!(told.get(1).unwrap(), b"p\0\0\0\x28md596eabaa75f3ffd5206409755df3cb4b0\0");
    }

    #[test]
    fn versions_are_numbers_in_front() {
        let versions = ["15.18 (Debian 15.18-0)", "17beta1", "9.6.24", "devel"].map(major);
        assert_eq!(versions, [Some(15), Some(17), Some(9), None]);
    }

    #[tokio::test]
    async fn servers_that_ask_for_something_else_are_named() {
        for (says, part) in [
            (vec![request(10, b"SCRAM-SHA-512\0\0")], "offers no SCRAM-SHA-256"),
            (vec![request(7, b"")], "scram-sha-256"),
            (vec![request(11, b"r=x,s=x,i=1")], "nothing has begun"),
            (vec![request(10, b"SCRAM-SHA-256\0\0"), request(11, b"r=x,s=x,i=4000000000")], "more rounds"),
        ] {
            let (Err(WireError::Login(why)), _) = log_in(&says).await else { panic!("{part}") };
            assert!(why.contains(part), "{why}");
        }
    }
}
