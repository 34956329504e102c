"""The pages in Airflow's UI: made on the server, without a script or style from elsewhere."""

from fastapi import APIRouter

from ifms_airflow.api.pages import (
    answers,
    bills,
    calls,
    cancel,
    connections,
    instructions,
    overview,
    register,
    render,
    reports,
    runs,
    sanctions,
    settle,
    waiting,
)

router = APIRouter()
for _part in (
    render,
    overview,
    instructions,
    settle,
    cancel,
    calls,
    register,
    reports,
    sanctions,
    runs,
    answers,
    bills,
    connections,
    waiting,
):
    router.include_router(_part.router)
