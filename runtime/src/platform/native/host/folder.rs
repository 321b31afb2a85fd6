//! The data folder: its lock, its permissions and the key of its identifiers.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::super::executor::disk;
use super::super::random::Random;
use super::failure::Failure;

/// Locks the folder for the lifetime of the process. Two processes on one folder would lose each
/// other's writes.
pub fn lock(root: &Path) -> Result<File, Failure> {
    let path = disk::lock_path(root);
    let file = File::create(&path).map_err(Failure::io("opening", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure(format!(
            "another process uses {}; stop it, or choose another folder with --data",
            root.display()
        ))),
        Err(TryLockError::Error(error)) => Err(Failure::io("locking", &path)(error)),
    }
}

/// Creates the data folder, or uses an existing one. Only its owner may read it: it holds all
/// state, and the key that hides names.
pub fn make(path: &Path) -> Result<PathBuf, Failure> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder
        .create(path)
        .map_err(Failure::io("making the data folder", path))?;
    let root = path
        .canonicalize()
        .map_err(Failure::io("finding the data folder", path))?;
    keep_private(&root, 0o700);
    Ok(root)
}

/// Removes the permissions of other users on `path`.
#[cfg(unix)]
fn keep_private(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = path.metadata() else {
        return;
    };
    if metadata.permissions().mode() & 0o077 == 0 {
        return;
    }
    match std::fs::set_permissions(path, PermissionsExt::from_mode(mode)) {
        Ok(()) => tracing::warn!(
            path = %path.display(),
            "other users could read this; now only its owner can"
        ),
        Err(error) => tracing::warn!(
            path = %path.display(),
            %error,
            "other users can read this: make it readable by its owner only"
        ),
    }
}

#[cfg(not(unix))]
fn keep_private(_: &Path, _: u32) {}

/// Returns the key of the folder's identifiers. It is created once, and as durable as the objects
/// that it names.
pub fn key(root: &Path) -> Result<[u8; 32], Failure> {
    let path = root.join("key");
    match std::fs::read(&path) {
        Ok(bytes) => {
            keep_private(&path, 0o600);
            bytes.try_into().map_err(|_| {
                Failure(format!(
                    "{} is not a key of 32 bytes; restore it from a backup",
                    path.display()
                ))
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(used) = sign_of_use(root)? {
                return Err(Failure(format!(
                    "{} is missing, and {} says that the folder was used: without the key that their identifiers were made with, all objects would be empty. Restore the file `key` from a backup of this folder, or choose another folder with --data",
                    path.display(),
                    used.display()
                )));
            }
            let key = Random::System.bytes();
            write_durably(root, &path, &key).map_err(Failure::io("writing", &path))?;
            Ok(key)
        }
        Err(error) => Err(Failure::io("reading", &path)(error)),
    }
}

/// Returns a file that exists only in a folder that has held objects.
fn sign_of_use(root: &Path) -> Result<Option<PathBuf>, Failure> {
    for name in ["objects", "index.sqlite"] {
        let path = root.join(name);
        if path
            .try_exists()
            .map_err(Failure::io("looking for", &path))?
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn write_durably(root: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    File::open(root)?.sync_all()
}
