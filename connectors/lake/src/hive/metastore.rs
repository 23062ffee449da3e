//! The calls of a Hive Metastore (`hive_metastore.thrift`, Hive 2 to 4) that the sink makes.

use std::path::PathBuf;
use std::time::Duration;

use lavka_api::{Error, Result};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::site;
use super::thrift::{Answer, Fields, Thrift, answer, call};

/// How long a connection or a call may take. A metastore on a slow database answers within seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// `TApplicationException.UNKNOWN_METHOD`.
const UNKNOWN_METHOD: i32 = 1;

/// Where metastores are.
#[derive(Debug, Clone)]
pub(crate) enum Servers {
    /// `host:port`, in the order in which they are tried.
    Given(Vec<String>),
    /// A `hive-site.xml` that says so.
    Site(PathBuf),
}

/// A client of the first metastore that can be reached.
#[derive(Debug)]
pub(crate) struct Metastore {
    servers: Servers,
    connection: Option<Connection>,
}

#[derive(Debug)]
struct Connection {
    server: String,
    stream: BufReader<TcpStream>,
    sequence: i32,
}

/// What a call came to: its result, or the number and the text of an exception that the method declares.
type Outcome = Result<Fields, (i16, String)>;

impl Metastore {
    pub(crate) fn new(servers: Servers) -> Self {
        Self { servers, connection: None }
    }

    /// The table, if there is one.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub(crate) async fn table(&mut self, database: &str, table: &str) -> Result<Option<Fields>> {
        let arguments = Fields::new([(1, database.into()), (2, table.into())]);
        let outcome = match self.call("get_table", &arguments).await? {
            Some(outcome) => outcome,
            // Hive 4.1 has the newer form alone.
            None => {
                let request = Fields::new([(1, database.into()), (2, table.into())]);
                let outcome =
                    self.known("get_table_req", &Fields::new([(1, Thrift::Struct(request))])).await?;
                outcome.map(|fields| match fields.fields(0).and_then(|result| result.get(1)) {
                    Some(table) => Fields::new([(0, table.clone())]),
                    None => Fields::default(),
                })
            }
        };
        match outcome {
            Ok(fields) => match fields.fields(0) {
                Some(table) => Ok(Some(table.clone())),
                None => {
                    Err(Error::fatal(format!("the metastore says nothing of the table {database}.{table}")))
                }
            },
            Err((2, _)) => Ok(None),
            Err((_, text)) => {
                Err(Error::retriable(format!("cannot look for the table {database}.{table}: {text}")))
            }
        }
    }

    /// Creates a table; one that is there already is left alone.
    ///
    /// # Errors
    /// Fatal where the metastore refuses it (a database that is not there, a name or type that it does not take).
    pub(crate) async fn create_table(&mut self, table: Fields) -> Result<()> {
        let name = named(&table);
        match self.known("create_table", &Fields::new([(1, Thrift::Struct(table))])).await? {
            Ok(_) | Err((1, _)) => Ok(()),
            Err((3, text)) => Err(Error::retriable(format!("cannot create the table {name}: {text}"))),
            Err((_, text)) => Err(Error::fatal(format!(
                "the metastore refuses to create the table {name}: {text} (hive.database has to exist)"
            ))),
        }
    }

    /// Replaces the description of a table.
    ///
    /// # Errors
    /// Fatal where the metastore refuses it, for instance because a column's type cannot become another one.
    pub(crate) async fn alter_table(&mut self, database: &str, name: &str, table: Fields) -> Result<()> {
        let arguments = Fields::new([(1, database.into()), (2, name.into()), (3, Thrift::Struct(table))]);
        match self.known("alter_table", &arguments).await? {
            Ok(_) => Ok(()),
            Err((_, text)) => Err(Error::fatal(format!(
                "the metastore refuses to alter the table {database}.{name}: {text}"
            ))),
        }
    }

    /// Adds a partition to the table `table` (`database.name`); one that is there already is left alone.
    ///
    /// # Errors
    /// Fatal where the metastore refuses it: a table without such partitions.
    pub(crate) async fn add_partition(&mut self, table: &str, partition: Fields) -> Result<()> {
        match self.known("add_partition", &Fields::new([(1, Thrift::Struct(partition))])).await? {
            Ok(_) | Err((2, _)) => Ok(()),
            Err((3, text)) => Err(Error::retriable(format!("cannot add a partition to {table}: {text}"))),
            Err((_, text)) => {
                Err(Error::fatal(format!("the metastore refuses to add a partition to {table}: {text}")))
            }
        }
    }

    /// The names of a table's partitions.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub(crate) async fn partitions(&mut self, database: &str, table: &str) -> Result<Vec<String>> {
        let arguments = Fields::new([(1, database.into()), (2, table.into()), (3, Thrift::I16(-1))]);
        match self.known("get_partition_names", &arguments).await? {
            Ok(fields) => Ok(fields
                .list(0)
                .iter()
                .filter_map(|item| match item {
                    Thrift::Text(name) => Some(String::from_utf8_lossy(name).into_owned()),
                    _ => None,
                })
                .collect()),
            Err((_, text)) => {
                Err(Error::retriable(format!("cannot list the partitions of {database}.{table}: {text}")))
            }
        }
    }

    /// A call of a method that every metastore has.
    async fn known(&mut self, method: &str, arguments: &Fields) -> Result<Outcome> {
        self.call(method, arguments).await?.ok_or_else(|| {
            Error::fatal(format!(
                "the metastore has no method {method}; the sink speaks to those of Hive 2 to 4"
            ))
        })
    }

    /// Calls `method`; `None` where the server has no such method. After an error the next call takes a new connection,
    /// so that what was half sent or half read is not taken for something else.
    ///
    /// # Errors
    /// Retriable where no metastore can be reached or the connection ends; fatal where the other side is none.
    async fn call(&mut self, method: &str, arguments: &Fields) -> Result<Option<Outcome>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let outcome = match timeout(PATIENCE, connection.call(method, arguments)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::retriable(format!("no answer to {method} within {} s", PATIENCE.as_secs()))),
        };
        let told = |error: &Error| format!("the metastore {}: {error}", connection.server);
        match outcome {
            Ok(outcome) => {
                self.connection = Some(connection);
                Ok(outcome)
            }
            Err(error) if error.is_retriable() => Err(Error::retriable(told(&error))),
            Err(error) => Err(Error::fatal(told(&error))),
        }
    }

    async fn connect(&self) -> Result<Connection> {
        let servers = match &self.servers {
            Servers::Given(servers) => servers.clone(),
            Servers::Site(path) => {
                let path = path.clone();
                tokio::task::spawn_blocking(move || site::servers(&path))
                    .await
                    .unwrap_or_else(|error| Err(Error::fatal(error.to_string())))?
            }
        };
        let mut complaints = Vec::new();
        for server in &servers {
            match timeout(PATIENCE, TcpStream::connect(server)).await {
                Ok(Ok(stream)) => {
                    // Calls are small and each is waited for.
                    let _ = stream.set_nodelay(true);
                    return Ok(Connection {
                        server: server.clone(),
                        stream: BufReader::new(stream),
                        sequence: 0,
                    });
                }
                Ok(Err(error)) => complaints.push(format!("{server}: {error}")),
                Err(_) => complaints.push(format!("{server}: no connection within {} s", PATIENCE.as_secs())),
            }
        }
        Err(Error::retriable(format!(
            "no metastore of hive.metastore.uris can be reached ({})",
            complaints.join("; ")
        )))
    }
}

impl Connection {
    async fn call(&mut self, method: &str, arguments: &Fields) -> Result<Option<Outcome>> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = call(method, self.sequence, arguments);
        let sent = self.stream.write_all(&bytes).await;
        sent.map_err(|error| Error::retriable(format!("{method} cannot be sent: {error}")))?;
        match answer(&mut self.stream, method, self.sequence).await? {
            Answer::Refused(_, UNKNOWN_METHOD) => Ok(None),
            Answer::Refused(text, _) => Err(Error::retriable(format!("{method} failed there: {text}"))),
            Answer::Result(fields) => Ok(Some(exception(&fields).map_or(Ok(fields), Err))),
        }
    }
}

/// The exception in a result, all of which have their text in the first field.
fn exception(fields: &Fields) -> Option<(i16, String)> {
    (1..=4).find_map(|number| Some((number, fields.fields(number)?.text(1).unwrap_or_default())))
}

fn named(table: &Fields) -> String {
    format!("{}.{}", table.text(2).unwrap_or_default(), table.text(1).unwrap_or_default())
}
