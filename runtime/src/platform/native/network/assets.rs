//! The files of the app's assets folder.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use hyper::body::Bytes;

use super::answers::Answers;
use crate::error::fault::Fault;
use crate::http::Response;

/// The maximum size of one file, as on Cloudflare.
const MAX_FILE: u64 = 25 * 1024 * 1024;

/// Answers with the file in `folder` that `path` (percent-encoded, in normal form) names. Returns a
/// response and its body. The body counts as one of the answers that wait for their readers.
pub(in super::super) async fn answer(
    folder: &str,
    path: &str,
    answers: &Answers,
) -> Result<(Response, Bytes), Fault> {
    let (folder, path, answers) = (locate(folder), path.to_owned(), answers.clone());
    let read = tokio::task::spawn_blocking(move || read(&folder, &path, &answers));
    let (content_type, bytes) = read.await.map_err(|error| {
        tracing::error!(%error, "reading an asset ended early");
        Fault::Disconnected("the asset was not read".to_owned())
    })??;
    let response = Response::bytes(200, content_type, Vec::new())
        .with_header("x-content-type-options", "nosniff");
    Ok((response, bytes))
}

/// Warns once when the host starts. Otherwise only a request for an asset would reveal it.
pub(in super::super) fn warn_if_missing(folder: &str) {
    let located = locate(folder);
    if !located.is_dir() {
        let located = std::path::absolute(&located).unwrap_or(located);
        tracing::warn!(
            "no assets: there is no folder {}; start the program in the folder that holds `{folder}`",
            located.display()
        );
    }
}

/// Finds the folder in the working directory. For a program that `cargo run` started, also finds
/// the one in its package, because the working directory may then be any directory.
fn locate(folder: &str) -> PathBuf {
    let here = PathBuf::from(folder);
    if here.is_dir() {
        return here;
    }
    match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(package) => Path::new(&package).join(folder),
        None => here,
    }
}

fn read(folder: &Path, path: &str, answers: &Answers) -> Result<(&'static str, Bytes), Fault> {
    let not_found = || Fault::NotFound(format!("no route matches {path}"));
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => not_found(),
        // A 404 would be cached, although the file exists.
        _ => {
            tracing::error!(path, %error, "an asset cannot be read");
            Fault::Overloaded("the asset cannot be read at present".to_owned())
        }
    };
    let relative = relative(path).ok_or_else(not_found)?;
    let root = folder.canonicalize().map_err(failed)?;
    let mut file = root.join(relative);
    if file.is_dir() {
        file.push("index.html");
    }
    // A symbolic link may lead out of the folder. A file outside the folder is not an asset.
    let file = file.canonicalize().map_err(failed)?;
    if !file.starts_with(&root) {
        return Err(not_found());
    }
    let size = file.metadata().map_err(failed)?.len();
    if size > MAX_FILE {
        return Err(Fault::TooLarge(format!(
            "{path} has {size} bytes; an asset can have at most {MAX_FILE}"
        )));
    }
    // Taken before the file is read, for the size found then, because the file may grow meanwhile.
    let share = answers.take(usize::try_from(size).unwrap_or(usize::MAX))?;
    let mut bytes = Vec::with_capacity(share.bytes());
    std::fs::File::open(&file)
        .and_then(|file| file.take(size).read_to_end(&mut bytes))
        .map_err(failed)?;
    Ok((content_type(&file), share.holding(bytes)))
}

/// Returns the path below the folder. Returns `None` if a segment begins with a dot, or if a
/// character could lead out of the folder.
fn relative(path: &str) -> Option<PathBuf> {
    let decoded = percent_encoding::percent_decode_str(path.trim_start_matches('/'))
        .decode_utf8()
        .ok()?;
    let mut relative = PathBuf::new();
    for segment in decoded.split('/').filter(|segment| !segment.is_empty()) {
        if segment.starts_with('.') || segment.contains(['\\', '\0', ':']) {
            return None;
        }
        relative.push(segment);
    }
    Some(relative)
}

fn content_type(file: &Path) -> &'static str {
    match file
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
    {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "txt" | "md" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_folder() {
        assert_eq!(relative("/a/b.css"), Some(PathBuf::from("a/b.css")));
        assert_eq!(relative("/"), Some(PathBuf::new()));
        assert_eq!(relative("/a%20b"), Some(PathBuf::from("a b")));
        for hostile in [
            "/../x",
            "/a/../../x",
            "/%2e%2e/x",
            "/a%2f..%2fx",
            "/.git/config",
            "/a\\b",
            "/%00",
            "/C:/x",
            "/%ff",
        ] {
            assert_eq!(relative(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn files_and_folders_answer_and_links_out_do_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "<p>").unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("sub/a.js"), "1").unwrap();
        let budget = Answers::with_room(100);
        assert_eq!(
            read(folder.path(), "/", &budget).unwrap(),
            ("text/html; charset=utf-8", Bytes::from_static(b"<p>"))
        );
        assert_eq!(
            read(folder.path(), "/sub/a.js", &budget).unwrap().0,
            "text/javascript; charset=utf-8"
        );
        assert!(matches!(
            read(folder.path(), "/", &Answers::with_room(2)),
            Err(Fault::Overloaded(_))
        ));
        assert!(matches!(
            read(folder.path(), "/sub", &budget),
            Err(Fault::NotFound(_))
        ));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc/hostname", folder.path().join("out")).unwrap();
            assert!(matches!(
                read(folder.path(), "/out", &budget),
                Err(Fault::NotFound(_))
            ));
            // A file that cannot be read at present must not be reported as missing.
            std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
            assert!(matches!(
                read(folder.path(), "/loop", &budget),
                Err(Fault::Overloaded(_))
            ));
            assert!(matches!(
                read(folder.path(), &format!("/{}", "a".repeat(300)), &budget),
                Err(Fault::NotFound(_))
            ));
        }
    }
}
