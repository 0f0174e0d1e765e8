/*
sf-credential-helper keeps Salesforce logins in the keychain of the operating
system and prints valid access tokens.

	sf-credential-helper get      [--rejected | --refresh] [--max-age D] [-f FORMAT]
	sf-credential-helper store    [-i CLIENT_ID] [-r URL] [--replace]   < a login
	sf-credential-helper erase    [--rejected]
	sf-credential-helper list     [--json]
	sf-credential-helper help     [COMMAND]
	sf-credential-helper version

An org is the name of a kept login. A login is what it takes to get a token
without a human: a refresh token. A token is an access token. A token is rejected
when Salesforce answered 401 to it. To renew is to get a new token for a login and
to keep it.

Salesforce does not say when a token ends, so the caller who is answered 401
reports it with get --rejected. That renews the login once, however many report it
at the same time, and prints the new token.

# options

Every command takes these:

	-o, --target-org NAME   the org; else $SF_TARGET_ORG, else "default". 1 to 128
	                        letters, digits and . _ @ : / + -, of which the first is
	                        neither . nor -. Upper and lower case differ
	    --keystore SPEC     where logins are kept: keychain or auto; else
	                        $SF_CREDENTIAL_KEYSTORE, else auto
	    --timeout D         how long the whole call may take, with its waits for
	                        locks, prompts and the network; 60s. Only the keeping of
	                        a login that has been renewed may take 5s longer
	-h, --help              the command's chapter of this manual

A time D is written 90s, 30m or 2h. Every secret comes from stdin or from the
environment. Results go to stdout, and everything else to stderr.

# get

	sf-credential-helper get [-o ORG] [--rejected | --refresh] [--max-age D] [-f FORMAT]

Prints the org's token, and nothing at all on stdout if there is none to be had.
The kept token is printed at once, without asking Salesforce. It is renewed first
if it is reported or marked as rejected, if it tells its end, as a JWT does, and that
is within a minute (or half of its life, if that is shorter), or as these flags say:

	    --rejected       stdin has the token that was answered 401, in one line. If
	                     it is the kept one, the login is renewed; if it is another,
	                     somebody has renewed it already, and the kept one is
	                     printed. Without this flag stdin is not read
	    --refresh        renew whatever is kept. A renewal that another process
	                     finished while this one waited for it counts
	    --max-age D      renew a token that is older than D
	-f, --format FORMAT  token   the token (this is the default)
	                     json    org, access_token, instance_url, token_type, id,
	                             issued_at, scope, and expires_at if it is known
	                     header  Authorization: Bearer …, for curl -H @-
	                     curl    a line for curl -K -
	                     env     export SF_ACCESS_TOKEN='…' and
	                             export SF_ORG_INSTANCE_URL='…', for eval

The new login is in the keychain before its token is printed. Ctrl-C and other
signals in the middle of a renewal end the call once the answer has been kept, or when
the time is out, and lose nothing. A login is never deleted because Salesforce refused
it.

A token that is rejected less than 30 s after it was renewed has probably not ended;
it is renewed, and stderr says so. After five renewals on rejection within a minute
the sixth is refused, with exit status 4; --refresh insists.

# store

	sf-credential-helper store [-o ORG] [-i CLIENT_ID] [-r URL] [--replace] < LOGIN

Keeps the login that stdin has, whichever of these it is:

  - Salesforce's answer to a token request, as JSON. All its fields are kept
  - what sf org auth show-sfdx-auth-url --json prints, {"sfdxAuthUrl":…}, or the
    force://… URL by itself
  - what sf org auth show-access-token --json prints, or an access token by itself:
    such a login lasts as long as the token

Flags:

	-i, --client-id ID      the app that the refresh token was given to, where the
	                        login does not name it; else $SF_CLIENT_ID
	-r, --instance-url URL  the org's address, where the login does not name it; a
	                        login with a refresh token is renewed there from then on
	    --replace           in place of a login of another org or user, or of one
	                        that can be renewed where this one cannot

The app's secret, if it has one, is taken from the login or from $SF_CLIENT_SECRET. The
Salesforce CLI's own app, PlatformCLI, has none.

A login has one owner. If its org rotates refresh tokens, every renewal ends the
refresh token before, and a copy that is then used ends the login for everybody. So
do not go on using it elsewhere.

# erase

	sf-credential-helper erase [-o ORG] [--rejected]

Forgets the login. Salesforce is not told, and nothing to forget is no error.

	--rejected  forget nothing: stdin has a token that was answered 401. If it is
	            the kept one it is marked, and the next get renews it

# list

	sf-credential-helper list [--json]

Prints the kept logins, without their secrets: org, username or user id, org id,
instance URL, and what the login is made of. What is not known is a dash.

	--json  as a list of objects with org, username, org_id, user_id,
	        instance_url and kind

# help

	sf-credential-helper help [COMMAND]

Prints this manual, or one chapter of it: a command's, or options, exit, kept.

# version

	sf-credential-helper version

Prints the version, that of Go, and the platform.

# exit

The exit status says whose turn it is. A message on stderr says what is the matter,
and a hint what to do.

	0  done
	1  anything else, such as a stdout that cannot be written
	2  the command line, or what came in on stdin
	3  a human must log in: no login is kept, or Salesforce ended it
	4  Salesforce refuses, and a new login would not help: an administrator, the
	   configuration, or fresh tokens that are rejected
	5  the keychain: none is here, locked, denied, timed out, cannot be written
	6  for now: network, rate limit, maintenance. Trying again later is right

A signal that stops the program is what it dies of.

# kept

Logins are in the login keychain of macOS, in the Windows Credential Manager, or in
the Secret Service (GNOME Keyring, KWallet, KeePassXC) elsewhere. Each is an item of
service sf-credential-helper whose account is the org's name (behind a ^ stands which
of its letters are upper case); it is JSON with Salesforce's own field names. What
the platform cannot hold in one item is split over several, and the item ~index has
the names of all.

Beside the keychain there are only empty lock files, in
$XDG_STATE_HOME/sf-credential-helper/locks or ~/.local/state/…,
~/Library/Application Support/… on macOS, %LocalAppData%\… on Windows. They are not
to be deleted while the program runs. Processes that share a keychain have to share
them: so give cron and services the same HOME and XDG_STATE_HOME as your desktop.

Also heeded: $HTTPS_PROXY and $NO_PROXY; $SSL_CERT_FILE, a file of certificates to
trust besides the system's.
*/
package main
