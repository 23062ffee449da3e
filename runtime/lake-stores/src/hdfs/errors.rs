//! What went wrong with a cluster: who can do something about it, and what.

use std::io::ErrorKind;

use hdfs_native::HdfsError;
use lavka_api::Error;
use lavka_api::error::ErrorClass;

use crate::failure::{Verdict, failure};

/// Kerberos' codes of errors, as its library gives them (RFC 4120, section 7.5.9, and those of the library itself, from
/// this number on).
const KRB5: u32 = 0x96c7_3a00;
const TICKET_EXPIRED: u32 = KRB5 + 32;
/// No server of the realm can be reached, or none is known.
const KDC_AWAY: [u32; 2] = [KRB5 + 154, KRB5 + 156];

/// The end of a Java class name, of the exceptions that the name node answers with.
fn exception_of(error: &HdfsError) -> Option<(&str, &str)> {
    match error {
        HdfsError::RPCError(class, text) | HdfsError::FatalRPCError(class, text) => {
            let name = class.rsplit(['.', '$']).next().unwrap_or(class);
            Some((name, text))
        }
        _ => None,
    }
}

pub(super) fn is_missing(error: &HdfsError) -> bool {
    matches!(error, HdfsError::FileNotFound(_))
        || exception_of(error).is_some_and(|(name, _)| name == "FileNotFoundException")
}

/// Whether a file that was open is somebody else's now, or gone.
pub(super) fn is_taken(error: &HdfsError) -> bool {
    is_missing(error) || exception_of(error).is_some_and(|(name, _)| name == "LeaseExpiredException")
}

/// Whether a file is there already, or is being written.
pub(super) fn is_there(error: &HdfsError) -> bool {
    matches!(error, HdfsError::AlreadyExists(_))
}

/// Whether somebody else writes the file, or did a moment ago.
pub(super) fn is_held(error: &HdfsError) -> bool {
    is_there(error)
        || exception_of(error).is_some_and(|(name, _)| {
            matches!(name, "RecoveryInProgressException" | "AlreadyBeingCreatedException")
        })
}

/// Whether it is the asking client itself that has the file open by the name node's account. Where nobody writes it by ours,
/// that is left of something that failed, and as the client keeps its leases alive it would stay for ever.
pub(super) fn is_held_by_itself(error: &HdfsError) -> bool {
    is_held(error) && error.to_string().contains("is already the current lease holder")
}

/// What the user should know of an error, and whether waiting may help.
pub(super) fn explain(key: &str, doing: &str, path: &str, error: &HdfsError) -> Error {
    let text = match error {
        // The rest are numbers.
        HdfsError::GSSAPIError(_, _, text) => format!("Kerberos: {text}"),
        error => error.to_string(),
    };
    // Java's answers go on with a stack trace.
    let first = text.lines().next().unwrap_or_default();
    failure(key, doing, &path, &first, judge(error))
}

fn judge(error: &HdfsError) -> Verdict {
    const AGAIN: &str = "this is tried again";
    if let Some((name, _)) = exception_of(error) {
        return match name {
            "AccessControlException" | "AuthorizationException" => (
                ErrorClass::Fatal,
                "give the user that the worker acts for (HADOOP_USER_NAME, or the Kerberos principal) write access to it",
            ),
            "NSQuotaExceededException"
            | "DSQuotaExceededException"
            | "QuotaExceededException"
            | "QuotaByStorageTypeExceededException" => {
                (ErrorClass::Retriable, "make room there or raise the quota; the task then goes on by itself")
            }
            "SafeModeException" => (
                ErrorClass::Retriable,
                "the name node is in safe mode (hdfs dfsadmin -safemode get); the task goes on when it leaves that",
            ),
            "LeaseExpiredException" => (
                ErrorClass::Fatal,
                "another writer has taken the file over, or it was deleted: what this task had open is read again by \
                 whoever has the partition",
            ),
            "IOException"
            | "StandbyException"
            | "RetriableException"
            | "RetryStartFileException"
            | "NotReplicatedYetException"
            | "RecoveryInProgressException"
            | "ServerTooBusyException"
            | "UnknownHostException"
            | "ConnectException" => (ErrorClass::Retriable, AGAIN),
            "ParentNotDirectoryException" | "PathIsNotDirectoryException" => (
                ErrorClass::Fatal,
                "something else has a name that the lake needs for a directory: move it away",
            ),
            "InvalidToken" | "SecretManager$InvalidToken" => {
                (ErrorClass::Fatal, "the delegation token is not valid any more: get a new one")
            }
            _ => (
                ErrorClass::Fatal,
                "restart the task when that is repaired; it goes on behind the last whole file",
            ),
        };
    }
    match error {
        // What a cluster does that wants to know more of whom it speaks with.
        HdfsError::IOError(error)
            if matches!(
                error.kind(),
                ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
            ) =>
        {
            (
                ErrorClass::Retriable,
                "this is tried again. Where it never helps: a cluster with Kerberos wants hdfs.authentication.kerberos, \
                 and the dfs.data.transfer.protection of its hdfs-site.xml in hadoop.conf.dir",
            )
        }
        HdfsError::IOError(_)
        | HdfsError::DataTransferError(_)
        | HdfsError::ChecksumError
        | HdfsError::BlocksNotFound(_) => (ErrorClass::Retriable, AGAIN),
        HdfsError::GSSAPIError(_, minor, _) if KDC_AWAY.contains(minor) => (
            ErrorClass::Retriable,
            "the Kerberos server that krb5.conf names for the realm does not answer; this is tried again",
        ),
        HdfsError::GSSAPIError(_, TICKET_EXPIRED, _) => (
            ErrorClass::Retriable,
            "get a new ticket (kinit), or set connect.hdfs.principal and connect.hdfs.keytab, with which tickets are got \
             when they are needed; this is tried again",
        ),
        HdfsError::GSSAPIError(..) => (
            ErrorClass::Fatal,
            "check that connect.hdfs.keytab has keys of connect.hdfs.principal (klist -k), or without a keytab that there \
             is a ticket (klist, kinit; KRB5CCNAME says where), and the realm in krb5.conf (KRB5_CONFIG)",
        ),
        HdfsError::OperationFailed(text) if text.contains("libgssapi") => (
            ErrorClass::Fatal,
            "Kerberos needs the system's library libgssapi_krb5: install it (Debian: libgssapi-krb5-2)",
        ),
        HdfsError::SASLError(_) | HdfsError::NoSASLMechanism => (
            ErrorClass::Fatal,
            "check hdfs.authentication.kerberos and hadoop.security.authentication in hadoop.conf.dir against what the \
             cluster asks for",
        ),
        HdfsError::OperationFailed(_) | HdfsError::AlreadyExists(_) => (ErrorClass::Retriable, AGAIN),
        HdfsError::XmlParseError(_) | HdfsError::UrlParseError(_) | HdfsError::InvalidArgument(_) => {
            (ErrorClass::Fatal, "correct the URL, or the files in hadoop.conf.dir")
        }
        HdfsError::UnsupportedFeature(_) => (ErrorClass::Fatal, "choose a directory without that feature"),
        _ => (
            ErrorClass::Fatal,
            "restart the task when that is repaired; it goes on behind the last whole file",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_exceptions_have_a_class() {
        let rpc = |class: &str| HdfsError::RPCError(class.into(), "text\n\tat org.apache.X".into());
        for (class, retriable) in [
            ("org.apache.hadoop.security.AccessControlException", false),
            ("org.apache.hadoop.hdfs.server.namenode.SafeModeException", true),
            ("org.apache.hadoop.hdfs.protocol.DSQuotaExceededException", true),
            ("org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException", false),
            ("java.io.IOException", true),
            ("java.lang.NullPointerException", false),
        ] {
            let error = explain("store.url", "write to", "/x", &rpc(class));
            assert_eq!(error.is_retriable(), retriable, "{class}");
            assert!(!error.to_string().contains("\tat"), "{error}");
        }
        assert!(is_missing(&rpc("java.io.FileNotFoundException")));
        for class in
            ["java.io.FileNotFoundException", "org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException"]
        {
            assert!(is_taken(&rpc(class)), "{class}");
        }
        assert!(!is_taken(&rpc("java.io.IOException")));
        assert!(is_held(&rpc("org.apache.hadoop.hdfs.protocol.RecoveryInProgressException")));
        let held = |by: &str| {
            HdfsError::AlreadyExists(format!("Failed to APPEND_FILE /x for a on 127.0.0.1 because {by}"))
        };
        assert!(is_held_by_itself(&held("a is already the current lease holder.")));
        assert!(!is_held_by_itself(&held("this file lease is currently owned by b on 127.0.0.1")));
    }
}
