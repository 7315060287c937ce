//! Reloading the configuration: on SIGHUP and when its file changes, or that of its catalog.
//!
//! The new file is read, validated and built in full before one atomic swap. An invalid one changes
//! nothing: the old one stays in force, and every problem is logged, counted and shown in
//! `/readyz?verbose`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::signal::unix::Signal;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::App;
use crate::config::{self, Problem};

/// Editors write a file in several steps; this long after the last one it is read.
const SETTLE: Duration = Duration::from_millis(100);
/// A file that never comes to rest is read after so many steps.
const MOST_STEPS: u32 = 20;

/// What kubelet replaces when it updates a mounted file, which is a link that never changes.
const MOUNTED: &str = "..data";

/// A configuration file being watched. Begun before the file is read, so that no change is missed.
#[derive(Debug)]
pub struct Watch {
    file: PathBuf,
    changed: Arc<Notify>,
    /// Works as long as it is kept.
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Begins to watch. A file that cannot be watched is still reloaded on SIGHUP.
    #[must_use]
    pub fn new(file: &Path) -> Self {
        let changed = Arc::new(Notify::new());
        let watcher = watcher(file, Arc::clone(&changed)).inspect_err(|error| {
            tracing::warn!(%error, "the configuration file cannot be watched; SIGHUP still reloads it");
        });
        Self { file: file.to_owned(), changed, _watcher: watcher.ok() }
    }

    /// Reloads whenever asked, for ever. `hangup` was taken before anybody could send one.
    pub async fn run(self, app: App, mut hangup: Signal) {
        let mut overlay = self.overlay(&app, None);
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                () = self.changed.notified() => settled(&self.changed).await,
            }
            // Failure is told where it happens; the next change gets its own try.
            let _ = reload(&app, &self.file);
            overlay = self.overlay(&app, overlay);
        }
    }

    /// Watches the catalog's file in force, if there is one and it is another than before.
    fn overlay(&self, app: &App, before: Option<Overlay>) -> Option<Overlay> {
        let file = app.core.snapshot.load().config.catalog_file.clone()?;
        if before.as_ref().is_some_and(|before| before.file == file) {
            return before;
        }
        let watcher = watcher(&file, Arc::clone(&self.changed)).inspect_err(|error| {
            tracing::warn!(%error, "the catalog's file cannot be watched; SIGHUP still reloads it");
        });
        Some(Overlay { file, _watcher: watcher.ok() })
    }
}

/// The watch of the catalog's file.
struct Overlay {
    file: PathBuf,
    /// Works as long as it is kept.
    _watcher: Option<RecommendedWatcher>,
}

/// Waits until the file has been left alone for a moment, but not for ever. One change is told in
/// several events; all of them are one reload.
async fn settled(changed: &Notify) {
    for _ in 0..MOST_STEPS {
        if timeout(SETTLE, changed.notified()).await.is_err() {
            return;
        }
    }
}

fn watcher(file: &Path, changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let name = file.file_name().map(OsStr::to_owned);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let ours = event.is_ok_and(|event| {
            let names = [name.as_deref(), Some(OsStr::new(MOUNTED))];
            let meant = event.paths.iter().any(|path| names.contains(&path.file_name()));
            meant && !event.kind.is_access()
        });
        if ours {
            changed.notify_one();
        }
    })?;
    // The directory is watched, since editors replace the file.
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    watcher.watch(directory.unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Reads the file and puts it in force if it is right.
///
/// # Errors
/// Every problem of the file.
pub fn reload(app: &App, file: &Path) -> Result<(), Vec<Problem>> {
    match config::load(file, &config::system::env, &config::system::read) {
        Ok(config) => {
            warn_of_fixed(app, &config);
            app.adopt(config);
            app.core.telemetry.metrics.reload("ok");
            tracing::info!("configuration reloaded");
            Ok(())
        }
        Err(problems) => {
            for problem in &problems {
                tracing::error!("configuration not reloaded: {problem}");
            }
            app.core.telemetry.metrics.reload("invalid");
            app.health.refused(problems.iter().map(ToString::to_string).collect());
            Err(problems)
        }
    }
}

fn warn_of_fixed(app: &App, new: &config::Config) {
    let old = app.core.snapshot.load();
    let server = &old.config.server;
    let moved =
        server.listen != new.server.listen || server.admin_listen != new.server.admin_listen;
    if moved || old.config.data_dir != new.data_dir {
        tracing::warn!("listen addresses and data_dir take effect at the next start");
    }
}
