#!/bin/sh
# deploy/secrets.sh [--simulators] [FILE]: makes the secrets of one installation, in the file that docker compose reads
# (.env beside docker-compose.yaml unless FILE is said). Only its owner can read it. A file that is there is left as it
# is: without these keys the data can't be opened. With --simulators it also says where the simulated treasury and
# platform are; without, fill in the real ones' addresses.
set -eu
umask 077

simulators=no
if [ "${1:-}" = --simulators ]; then
    simulators=yes
    shift
fi
file=${1:-$(dirname "$0")/../.env}

if [ -e "$file" ]; then
    echo "secrets.sh: $file is there already; nothing was changed" >&2
    exit 1
fi

password() { head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
key() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }
url_key() { key | tr '+/' '-_'; }

fresh=$file.new.$$
trap 'rm -f "$fresh"' EXIT
{
    echo "# Secrets of this installation: keep a copy in a safe place, and show them to nobody."
    echo "POSTGRES_PASSWORD=$(password)"
    echo "AIRFLOW_DB_PASSWORD=$(password)"
    echo "IFMS_OWNER_PASSWORD=$(password)"
    echo "IFMS_DB_PASSWORD=$(password)"
    echo "IFMS_REPORTS_PASSWORD=$(password)"
    echo "REDIS_PASSWORD=$(password)"
    echo "ELASTIC_PASSWORD=$(password)"
    echo "AIRFLOW_FERNET_KEY=$(url_key)"
    echo "AIRFLOW_API_SECRET=$(password)"
    echo "AIRFLOW_JWT_SECRET=$(password)$(password)"
    echo "# Of the login 'admin' of Airflow's pages."
    echo "IFMS_ADMIN_PASSWORD=$(password)"
    echo "# Seals the secrets in the log of calls to the treasury; records can't be opened without it."
    echo "IFMS_LOG_KEY=$(key)"
    echo "# Signs payment instructions; those that it has not signed are not sent."
    echo "IFMS_SIGNING_KEY=$(key)"
    echo "# Since when this installation asks what came back from banks: today, in India."
    echo "IFMS_START_DATE=$(TZ=IST-5:30 date +%Y-%m-%d)"
    echo "KAFKA_CLUSTER_ID=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')"
    echo
    if [ "$simulators" = yes ]; then
        echo "COMPOSE_PROFILES=simulators"
        echo "IFMS_SIMULATED=yes"
        echo "IFMS_TREASURY_URL=https://treasury:8091"
        echo "IFMS_TREASURY_CLIENT_ID=sample-client"
        echo "IFMS_TREASURY_CLIENT_SECRET=$(password)"
        echo "# Empty: asked of the simulated treasury."
        echo "IFMS_TREASURY_PUBLIC_KEY="
        echo "IFMS_TREASURY_CA_BUNDLE=/opt/airflow/tls/treasury.pem"
        echo "IFMS_PLATFORM_URL=http://platform:8092"
        echo "IFMS_PLATFORM_HTTP_HOSTS=platform"
    else
        echo "# The treasury: its address, who we are there, its public key (base64 of DER or PEM), its calls a second."
        echo "IFMS_TREASURY_URL="
        echo "IFMS_TREASURY_CLIENT_ID="
        echo "IFMS_TREASURY_CLIENT_SECRET="
        echo "IFMS_TREASURY_PUBLIC_KEY="
        echo "IFMS_TREASURY_CALLS_PER_SECOND="
        echo "# The DIGIT platform: the address of all its services."
        echo "IFMS_PLATFORM_URL="
        echo "# Its hosts that may be spoken to by plain http; all others need https."
        echo "IFMS_PLATFORM_HTTP_HOSTS="
    fi
} >"$fresh"
ln "$fresh" "$file" || {
    echo "secrets.sh: somebody else has just made $file; nothing was changed" >&2
    exit 1
}
echo "secrets.sh: made $file"
