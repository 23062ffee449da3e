//! What holds the files of a lake: a local directory, HDFS, an object store, behind one port.
//!
//! The port ([`LakeStore`]) is what exactly-once asks of a store. Its implementations differ in how they keep a second
//! writer out, and so in what the log of commits looks like ([`LogForm`]):
//!
//! | store | bytes | a finished file gets its name by | a second writer is kept out by |
//! | --- | --- | --- | --- |
//! | [`LocalStore`] | written in place, `fsync` | a rename that never replaces | a lock on a file |
//! | [`HdfsStore`] | append, `hsync` | a rename that never replaces | HDFS's own lease on the log, which every commit needs |
//! | [`BucketStore`] | an object, or the parts of an upload | completing the upload, or a copy within the store | a log of numbered objects, each created only if it is missing |
//!
//! # Invariants
//!
//! - No store holds a lock across an await, or blocks an async thread.
//! - Whatever an operation did before it failed or was cancelled, calling it again with the same arguments is right.
//! - Secrets (keys of accounts, tokens, passwords of proxies) are in no error text and no `Debug`.
//! - HTTP goes through a client of our own, with TLS on ring; Kerberos needs the system's `libgssapi_krb5` when it runs,
//!   and nothing else does.
//!
//! # Map
//!
//! | module | what is in it |
//! | --- | --- |
//! | `store` | the port |
//! | `path`, `names` | paths below a store's root; names that nobody else chooses |
//! | `place` | URLs of stores |
//! | `failure` | the texts of errors |
//! | `local` | a directory of this machine |
//! | `hdfs` | HDFS: files that are open, leases, errors |
//! | `object` | S3, Google Cloud Storage, Azure: uploads, the client, errors |

mod failure;
mod hdfs;
mod local;
mod names;
mod object;
mod path;
mod place;
mod store;

pub use hdfs::{HdfsSettings, HdfsStore, Kerberos};
pub use local::LocalStore;
pub use names::{random_bytes, random_name};
pub use object::{
    Account, AssumedRole, AzureSettings, BucketStore, GoogleSettings, ObjectSettings, Provider, S3Settings,
};
pub use path::LakePath;
pub use place::{Place, PlaceError};
pub use store::{Chunk, End, LakeStore, Lease, LogForm, Lost, Renamed};
