"""The pages in Airflow's UI: made on the server, without a script or style from elsewhere."""

from fastapi import APIRouter, Depends

from ifms_airflow.api.pages import (
    answers,
    bills,
    calls,
    cancel,
    connections,
    failures,
    instructions,
    language,
    overview,
    proposals,
    register,
    render,
    reports,
    runs,
    sanctions,
    settle,
    waiting,
)

router = APIRouter()
router.include_router(render.router)
for _part in (
    language,
    overview,
    instructions,
    settle,
    cancel,
    calls,
    register,
    reports,
    sanctions,
    proposals,
    runs,
    answers,
    failures,
    bills,
    connections,
    waiting,
):
    router.include_router(_part.router, dependencies=[Depends(language.speak)])
