from django.http import JsonResponse
from django.shortcuts import render

from notes.models import Note


def health(request):
    return JsonResponse({"notes": Note.objects.count()})


def index(request):
    return render(request, "index.html", {"notes": Note.objects.all()})
