//! The load generator, [wrk](https://github.com/wg/wrk).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::loads::{Load, Requests};

/// What wrk counted.
pub(super) struct Counted {
    pub(super) requests: u64,
    pub(super) per_second: f64,
}

pub(super) fn check() -> Result<()> {
    // wrk answers `-v` with its version and a failing exit code.
    if Command::new("wrk").arg("-v").output().is_err() {
        bail!("wrk is missing: install it (Debian: apt-get install wrk); it makes the load");
    }
    Ok(())
}

/// Loads the program at `port` for some seconds. `scripts` is a folder for wrk's script.
pub(super) fn measure(load: &Load, port: u16, seconds: u32, scripts: &Path) -> Result<Counted> {
    run(load, port, seconds, scripts, &requests(&load.requests))
}

/// Loads the program until compilers are warm, objects awake and files there.
pub(super) fn warm_up(load: &Load, port: u16, scripts: &Path) -> Result<()> {
    let Requests::Counters(count) = load.requests else {
        return measure(load, port, 1, scripts).map(drop);
    };
    let mut first = 0;
    while first < u64::from(count) {
        first += run(load, port, 1, scripts, &each_counter(first, count))?.requests;
    }
    Ok(())
}

fn run(load: &Load, port: u16, seconds: u32, scripts: &Path, requests: &str) -> Result<Counted> {
    let script = scripts.join("requests.lua");
    let head = "wrk.method = \"POST\"\nwrk.headers[\"content-type\"] = \"application/json\"\n";
    fs::write(&script, format!("{head}{requests}"))?;
    let output = Command::new("wrk")
        .args([
            "-t1",
            &format!("-c{}", load.connections),
            &format!("-d{seconds}s"),
            // Beyond the programs' own limits, so that they give the error.
            "--timeout=40s",
            "-s",
        ])
        .arg(script)
        .arg(format!("http://127.0.0.1:{port}{}", path(&load.requests)))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text
        .lines()
        .find(|line| line.contains("Non-2xx") || line.contains("Socket errors"))
    {
        bail!("{}", line.trim());
    }
    let per_second = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Requests/sec:"))
        .and_then(|rate| rate.trim().parse().ok());
    let requests = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))
        .and_then(|(count, _)| count.parse().ok());
    match (requests, per_second) {
        (Some(requests), Some(per_second)) => Ok(Counted {
            requests,
            per_second,
        }),
        _ => bail!("wrk printed no rate:\n{text}"),
    }
}

fn path(requests: &Requests) -> &'static str {
    match requests {
        Requests::Same { path, .. } => path,
        Requests::MostlyReads => "/durable/b/increment",
        // The script chooses.
        Requests::Counters(_) | Requests::NewNames => "/",
        Requests::Page => "/page",
        Requests::Texts => "/work/a/common",
    }
}

/// Returns the part of wrk's script that makes the requests.
fn requests(requests: &Requests) -> String {
    match requests {
        Requests::Same { body, .. } => with_body(body),
        Requests::MostlyReads => function(
            "return wrk.format(nil, nil, nil, math.random(10) == 1 and '{\"by\":1}' or '{\"by\":0}')",
        ),
        Requests::Counters(count) => counter(&format!(
            "\"/durable/many-\" .. math.random(0, {})",
            count - 1
        )),
        Requests::NewNames => {
            // No two runs use the same names.
            let run = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_millis());
            format!(
                "local number = 0\n{}",
                counter(&format!("next_name(\"/durable/new-{run}-\")"))
            ) + "function next_name(prefix)\n  number = number + 1\n  return prefix .. number\nend\n"
        }
        Requests::Page => with_body(&page()),
        Requests::Texts => with_body(&texts()),
    }
}

/// Requests each of the counters in turn, from number `first` on.
fn each_counter(first: u64, count: u32) -> String {
    format!(
        "local number = {first}\nfunction next_number()\n  number = number + 1\n  return number % {count}\nend\n{}",
        counter("\"/durable/many-\" .. next_number()")
    )
}

fn counter(path: &str) -> String {
    function(&format!(
        "return wrk.format(nil, {path} .. \"/increment\", nil, '{{\"by\":1}}')"
    ))
}

fn function(body: &str) -> String {
    format!("function request()\n  {body}\nend\n")
}

fn with_body(body: &str) -> String {
    format!("wrk.body = [==[{body}]==]\n")
}

/// Returns a page of chat: 20 messages.
fn page() -> String {
    let messages = (0..20_u64).map(|id| {
        serde_json::json!({
            "id": id,
            "user": format!("user-{}", id % 5),
            "text": "A message of a usual length, of the kind that people write all day long.",
            "at": 1_795_000_000_000_u64 + id,
        })
    });
    serde_json::Value::from_iter(messages).to_string()
}

/// Returns two texts of 50 kB with 1,000 lines each.
fn texts() -> String {
    let text = |version: usize| {
        (0..1_000).fold(String::new(), |mut text, line| {
            let version = if line % 4 == 0 { version } else { 0 };
            let _ = writeln!(
                text,
                "line {line:4} of version {version}, a usual length of 50"
            );
            text
        })
    };
    serde_json::json!({ "before": text(0), "after": text(1) }).to_string()
}
