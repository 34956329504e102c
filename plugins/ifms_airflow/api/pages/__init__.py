"""The pages in Airflow's UI: made on the server, without a script or style from elsewhere."""

from fastapi import APIRouter

from ifms_airflow.api.pages import instructions, register, render, runs

router = APIRouter()
for _part in (render, instructions, register, runs):
    router.include_router(_part.router)
