//! HDFS as it is run for good: two name nodes behind a name service and three data nodes, each a process that can die alone.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::java::Java;
use super::site::write_configuration;
use crate::failure::{Context as _, Failure, OrFail as _, fail};
use crate::folders::try_temp_dir;
use crate::kafka::Unavailable;
use crate::leash::{Launch, Leashed};
use crate::ports::{on_free_port, try_free_port};
use crate::progress::say;

const SLOWEST_START: Duration = Duration::from_secs(120);
const NAME_NODE: &str = "org.apache.hadoop.hdfs.server.namenode.NameNode";
const DATA_NODE: &str = "org.apache.hadoop.hdfs.server.datanode.DataNode";
const ADMIN: &str = "org.apache.hadoop.hdfs.tools.DFSHAAdmin";
/// What a data node says once it takes orders.
const DATA_NODE_READY: &str = "Acknowledging ACTIVE Namenode";
const SERVICE: &str = "lake";
const NAME_NODES: [&str; 2] = ["nn1", "nn2"];
const DATA_NODES: [&str; 3] = ["dn1", "dn2", "dn3"];

/// A cluster of a test's own. It ends with the value, or with the process that made it.
#[derive(Debug)]
pub struct HdfsCluster {
    // Dropped before the folder, so that nothing is written into a folder that is being removed.
    name_nodes: Vec<Leashed>,
    data_nodes: Vec<Leashed>,
    java: Java,
    /// Which of the name nodes decides.
    active: usize,
    folder: TempDir,
}

impl HdfsCluster {
    /// The URL for `store.url`: the name of the service, which [`conf_dir`](Self::conf_dir) resolves.
    pub const URL: &str = "hdfs://lake";

    /// Starts a cluster whose first name node is active, with two replicas of every block on its three data nodes, and waits until files can be
    /// written.
    ///
    /// # Errors
    /// [`Unavailable::Unresolvable`] when its jars are not to be had; otherwise when Java is missing, or it does not come
    /// up (with its log).
    pub fn start() -> Result<Self, Unavailable> {
        let java = Java::find()?;
        let folder = try_temp_dir()?;
        let began = Instant::now();
        let java = java.configured_by(&conf_dir(folder.path()));
        let (_, (name_nodes, data_nodes)) = on_free_port("already in use", |port| {
            configure(folder.path(), [port, try_free_port()?])?;
            format(&java, folder.path())?;
            start_all(&java, folder.path())
        })?;
        say(&format!("HDFS with two name nodes ready in {:.1?}", began.elapsed()));
        Ok(Self { name_nodes, data_nodes, java, active: 0, folder })
    }

    /// The directory with the configuration of clients, for `hadoop.conf.dir`.
    pub fn conf_dir(&self) -> PathBuf {
        conf_dir(self.folder.path())
    }

    /// Kills the active name node (SIGKILL); nobody takes over by himself.
    #[track_caller]
    pub fn kill_active(&mut self) {
        let Some(active) = self.name_nodes.get_mut(self.active) else { fail("there is no such name node") };
        active.kill();
    }

    /// Makes the other name node the active one, whether this one is dead or only to step down.
    #[track_caller]
    pub fn fail_over(&mut self) {
        let other = 1 - self.active;
        let args = ["-failover", "--forceactive", NAME_NODES[self.active], NAME_NODES[other]];
        self.java.run(ADMIN, &args).or_fail();
        self.active = other;
    }

    /// Starts the name node that is not active again, after it was killed; it stands by.
    #[track_caller]
    pub fn restart_standby(&mut self) {
        let standby = 1 - self.active;
        let started = launch_name_node(&self.java, self.folder.path(), standby).or_fail();
        if let Some(slot) = self.name_nodes.get_mut(standby) {
            *slot = started;
        }
    }

    /// Starts the active name node again, after it was killed. It stands by like any that starts, and is made active.
    #[track_caller]
    pub fn restart_active(&mut self) {
        let started = launch_name_node(&self.java, self.folder.path(), self.active).or_fail();
        if let Some(slot) = self.name_nodes.get_mut(self.active) {
            *slot = started;
        }
        self.java.run(ADMIN, &["-transitionToActive", NAME_NODES[self.active]]).or_fail();
    }

    /// Kills a data node (SIGKILL): 0, 1 or 2.
    #[track_caller]
    pub fn kill_data_node(&mut self, which: usize) {
        self.data_node(which).kill();
    }

    /// Starts a data node again, with the blocks that it had.
    #[track_caller]
    pub fn restart_data_node(&mut self, which: usize) {
        let mut started = launch_data_node(&self.java, self.folder.path(), which).or_fail();
        wait_for_data_node(&mut started, self.folder.path(), which).or_fail();
        *self.data_node(which) = started;
    }

    /// Stops a data node from running (SIGSTOP): connections stand, new ones are taken, and nobody answers.
    #[track_caller]
    pub fn pause_data_node(&mut self, which: usize) {
        self.data_node(which).pause().or_fail();
    }

    /// Lets a paused data node go on (SIGCONT).
    #[track_caller]
    pub fn resume_data_node(&mut self, which: usize) {
        self.data_node(which).resume().or_fail();
    }

    #[track_caller]
    fn data_node(&mut self, which: usize) -> &mut Leashed {
        match self.data_nodes.get_mut(which) {
            Some(node) => node,
            None => {
                fail(format!("there are {} data nodes, and none of the number {which}", DATA_NODES.len()))
            }
        }
    }
}

fn conf_dir(folder: &Path) -> PathBuf {
    folder.join("conf")
}

fn configure(folder: &Path, ports: [u16; 2]) -> Result<(), Failure> {
    let [first, second] = ports.map(|port| format!("127.0.0.1:{port}"));
    let edits = format!("file://{}/edits", folder.display());
    let provider = "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider";
    let properties = [
        ("fs.defaultFS", HdfsCluster::URL),
        ("dfs.nameservices", SERVICE),
        ("dfs.ha.namenodes.lake", &NAME_NODES.join(",")),
        ("dfs.namenode.rpc-address.lake.nn1", &first),
        ("dfs.namenode.rpc-address.lake.nn2", &second),
        ("dfs.namenode.http-address.lake.nn1", "127.0.0.1:0"),
        ("dfs.namenode.http-address.lake.nn2", "127.0.0.1:0"),
        ("dfs.client.failover.proxy.provider.lake", provider),
        ("dfs.namenode.shared.edits.dir", &edits),
        ("dfs.ha.tail-edits.period", "1s"),
        // Whom a test replaces, it has killed.
        ("dfs.ha.fencing.methods", "shell(/bin/true)"),
        // Checkpoints go over web pages, whose ports nobody knows here.
        ("dfs.ha.standby.checkpoints", "false"),
        ("ipc.client.connect.max.retries", "1"),
        // How long clients rest after both name nodes have not answered.
        ("dfs.client.failover.sleep.base.millis", "100"),
        ("dfs.client.failover.sleep.max.millis", "1000"),
        ("dfs.replication", "2"),
        // A block that is being written gets another data node for one that died, as it does by itself where there are
        // three replicas. Where no other is to be had, it goes on with those it has.
        ("dfs.client.block.write.replace-datanode-on-failure.policy", "ALWAYS"),
        ("dfs.client.block.write.replace-datanode-on-failure.best-effort", "true"),
        ("dfs.namenode.fs-limits.min-block-size", "1024"),
        ("dfs.namenode.safemode.extension", "0"),
        ("dfs.namenode.replication.considerLoad", "false"),
        ("dfs.namenode.lease-recheck-interval-ms", "500"),
        ("dfs.heartbeat.interval", "1"),
        // A data node that is gone gets no new blocks after three seconds, where usually that takes ten minutes.
        ("dfs.namenode.stale.datanode.interval", "3000"),
        ("dfs.namenode.avoid.write.stale.datanode", "true"),
        ("dfs.namenode.avoid.read.stale.datanode", "true"),
        // How long data nodes, and clients, wait for one that says nothing: usually a minute. Less would part a log from its
        // data nodes while nothing is written.
        ("dfs.client.socket-timeout", "10000"),
        ("dfs.datanode.hostname", "127.0.0.1"),
        ("dfs.datanode.address", "127.0.0.1:0"),
        ("dfs.datanode.http.address", "127.0.0.1:0"),
        ("dfs.datanode.ipc.address", "127.0.0.1:0"),
    ];
    write_configuration(&conf_dir(folder), properties)
}

/// Makes the files of an empty cluster, the same for both name nodes.
fn format(java: &Java, folder: &Path) -> Result<(), Failure> {
    for name in ["edits"].iter().chain(&NAME_NODES).chain(&DATA_NODES) {
        let path = folder.join(name);
        // Something is there where an earlier try went wrong.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).context(|| format!("cannot make {}", path.display()))?;
    }
    let [id, place] = name_node_settings(folder, 0);
    java.run(NAME_NODE, &["-D", &id, "-D", &place, "-format", "-force", "-nonInteractive"])?;
    let [from, to] = NAME_NODES.map(|name| folder.join(name).join("current"));
    let explain = || format!("cannot copy {} to {}", from.display(), to.display());
    std::fs::create_dir(&to).context(explain)?;
    for entry in std::fs::read_dir(&from).context(explain)? {
        let entry = entry.context(explain)?;
        std::fs::copy(entry.path(), to.join(entry.file_name())).context(explain)?;
    }
    Ok(())
}

fn name_node_settings(folder: &Path, which: usize) -> [String; 2] {
    let name = NAME_NODES[which];
    [
        format!("dfs.ha.namenode.id={name}"),
        format!("dfs.namenode.name.dir=file://{}", folder.join(name).display()),
    ]
}

fn start_all(java: &Java, folder: &Path) -> Result<(Vec<Leashed>, Vec<Leashed>), Failure> {
    let mut data_nodes = Vec::new();
    for which in 0..DATA_NODES.len() {
        data_nodes.push(launch_data_node(java, folder, which)?);
    }
    // Each waits for itself, so the second starts while the first does.
    let name_nodes = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..NAME_NODES.len())
            .map(|which| scope.spawn(move || launch_name_node(java, folder, which)))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(Failure::new("a thread that starts a name node panicked")))
        };
        starting.into_iter().map(join).collect::<Result<Vec<_>, _>>()
    })?;
    java.run(ADMIN, &["-transitionToActive", NAME_NODES[0]])?;
    for (which, node) in data_nodes.iter_mut().enumerate() {
        wait_for_data_node(node, folder, which)?;
    }
    Ok((name_nodes, data_nodes))
}

/// Starts a name node, and waits until it takes calls.
fn launch_name_node(java: &Java, folder: &Path, which: usize) -> Result<Leashed, Failure> {
    let mut process = launch(java, folder, NAME_NODE, NAME_NODES[which], &name_node_settings(folder, which))?;
    let log = log_path(folder, NAME_NODES[which]);
    process.wait_ready(SLOWEST_START, || says(&log, "RPC up at:"))?;
    Ok(process)
}

fn launch_data_node(java: &Java, folder: &Path, which: usize) -> Result<Leashed, Failure> {
    let name = DATA_NODES[which];
    let place = format!("dfs.datanode.data.dir=file://{}", folder.join(name).display());
    launch(java, folder, DATA_NODE, name, &[place])
}

fn wait_for_data_node(process: &mut Leashed, folder: &Path, which: usize) -> Result<(), Failure> {
    let log = log_path(folder, DATA_NODES[which]);
    process.wait_ready(SLOWEST_START, || says(&log, DATA_NODE_READY))
}

fn launch(
    java: &Java,
    folder: &Path,
    main: &str,
    name: &str,
    settings: &[String],
) -> Result<Leashed, Failure> {
    let log = log_path(folder, name);
    // What an earlier start printed says nothing of this one.
    let _ = std::fs::remove_file(&log);
    let mut command = java.command(main);
    for setting in settings {
        command.args(["-D", setting]);
    }
    command.current_dir(folder);
    Launch { name, command: &command, log: Some(&log), remove: Some(folder) }.start()
}

fn log_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}

fn says(log: &Path, what: &str) -> bool {
    std::fs::read(log).is_ok_and(|text| String::from_utf8_lossy(&text).contains(what))
}
