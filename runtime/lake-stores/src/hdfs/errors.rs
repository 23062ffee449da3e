//! What went wrong with a cluster: who can do something about it, and what.

use hdfs_native::HdfsError;
use lavka_api::Error;
use lavka_api::error::ErrorClass;

use crate::failure::{Verdict, failure};

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

/// What the user should know of an error, and whether waiting may help.
pub(super) fn explain(key: &str, doing: &str, path: &str, error: &HdfsError) -> Error {
    // Java's answers go on with a stack trace.
    let text = error.to_string();
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
        HdfsError::IOError(_)
        | HdfsError::DataTransferError(_)
        | HdfsError::ChecksumError
        | HdfsError::BlocksNotFound(_) => (ErrorClass::Retriable, AGAIN),
        HdfsError::OperationFailed(_) | HdfsError::AlreadyExists(_) => (ErrorClass::Retriable, AGAIN),
        HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => (
            ErrorClass::Fatal,
            "Kerberos: check connect.hdfs.principal, connect.hdfs.keytab (or the ticket cache, kinit), the realm in \
             krb5.conf, and that libgssapi_krb5 is installed (Debian: libgssapi-krb5-2)",
        ),
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
        assert!(is_held(&rpc("org.apache.hadoop.hdfs.protocol.RecoveryInProgressException")));
    }
}
