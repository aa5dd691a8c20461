"""This module makes the turns in which a story is told in Spanish, French or German.

The slots: <one> the hero with the indefinite article, <name> what it is called, <friend> who helps, <thing> a thing
with the definite article. The wording avoids whatever would have to agree with them.
"""

import random

from .conversations_names import BOYS, GIRLS, a_name
from .wording import invented, say, typed, words

__all__ = ["tale"]

_HEROES = {
    "es": words("zorro, gato, perro, conejo, oso, ratón, dragón, lobo, pato, robot, pirata, niño, caballo, erizo, rey, león, pingüino, elefante, mago, panadero, "
                "+niña, +gata, +tortuga, +princesa, +bruja, +rana, +abeja, +ardilla, +ballena, +reina, +nube"),
    "fr": words("renard, chat, chien, lapin, ours, dragon, loup, canard, robot, pirate, garçon, cheval, roi, lion, pingouin, boulanger, mouton, singe, "
                "+fille, +souris, +tortue, +princesse, +sorcière, +grenouille, +baleine, +reine, +poule, +vache"),
    "de": words("Fuchs, Kater, Hund, Hase, Bär, Drache, Wolf, Roboter, Pirat, Junge, Igel, König, Löwe, Pinguin, Elefant, Zauberer, Bäcker, Frosch, Vogel, "
                "+Katze, +Maus, +Schildkröte, +Prinzessin, +Hexe, +Biene, +Ente, +Königin, +Wolke, +Eule"),
}  # fmt: skip
_ARTICLES = {"es": ("un", "una"), "fr": ("un", "une"), "de": ("ein", "eine")}
_THINGS = {
    "es": words(
        "la linterna, la llave, la campana, el reloj, el violín, la cometa, el espejo, el tambor, la lámpara, la flauta"
    ),
    "fr": words(
        "la lanterne, la clé, la cloche, la montre, le violon, le miroir, le tambour, la lampe, la flûte, le livre"
    ),
    "de": words(
        "die Laterne, die Glocke, die Uhr, die Geige, die Trommel, die Lampe, die Flöte, die Muschel, die Feder, die Kette"
    ),
}

_ASK = {
    "es": """{{{|por favor }{cuéntame|cuenta|escribe|escríbeme|inventa}|{¿puedes|¿podrías|quiero} {contarme|escribir|inventar}|quiero|me gustaría oír|quiero escuchar|} {un|otro|un|algún} \
{|pequeño |breve |buen }{cuento|cuento|relato|cuento corto|cuento para dormir}|{|por favor }{cuéntame|cuenta|escribe|inventa} una {|pequeña |breve |bonita }{historia|historia corta}}""",
    "fr": """{{{|s'il te plaît }{raconte|raconte-moi|écris|écris-moi|invente}|{peux-tu|tu peux|pourrais-tu} {me raconter|écrire|inventer}|je veux|j'aimerais entendre|} {une|une autre|une|encore une} \
{|petite |courte |belle |jolie }{histoire|histoire|histoire courte|histoire pour dormir}|{raconte|raconte-moi|écris|invente} un {|petit |joli }conte}""",
    "de": """{{{|bitte }{erzähl mir|erzähle mir|erzähl|schreib|schreibe mir|erfinde}|ich möchte|ich will|kannst du mir|erzählst du mir|} {eine|noch eine|eine|irgendeine} \
{|kleine |kurze |schöne |lustige }{Geschichte|Geschichte|Kurzgeschichte|Gutenachtgeschichte}|{erzähl|erzähl mir|schreib|erfinde} ein {|kleines |kurzes }Märchen}""",
}
_ABOUT = {
    "es": " {sobre|de|con|acerca de} <one>",
    "fr": " {sur |avec |à propos d'|qui parle d'}<one>",
    "de": " {über <whom>|mit <him>|von <him>}",
}
_CALLED = {"es": " {que se llama|de nombre} <name>", "fr": " {qui s'appelle|du nom de} <name>", "de": " namens <name>"}
_END = {
    "es": "{|||, por favor| por favor|?|.}",
    "fr": "{||| s'il te plaît|, s'il te plaît| ?|.}",
    "de": "{|||, bitte| bitte|?|.}",
}

_PLOTS: dict[str, tuple[str, ...]] = {
    "es": (
        """{Había una vez|Hace mucho tiempo había} <one> de nombre <name>. Vivía {en una casa pequeña junto al mar|al borde de un bosque oscuro|en un valle entre montañas} y tenía un solo tesoro: <thing> de su abuela. Pero una mañana {fría|gris} el tesoro ya no estaba. <Name> buscó {debajo de la cama|detrás de la puerta}, {en el jardín|en el tejado} y {en el pozo|en la cocina}, y no encontró nada.

{—¿Qué te pasa?|—¿Por qué lloras?} —preguntó <friend>, que pasaba por el camino. <Name> se lo contó todo. —{Cuatro ojos ven más que dos|Vamos a buscar juntos} —dijo <friend>. Siguieron unas huellas pequeñas {por el campo|junto al río} y llegaron a {un árbol hueco|una cueva}. Allí vivía una familia de ratones, con frío y con hambre, y en medio estaba <thing>. —{Solo queríamos algo bonito|Estábamos muy solos en la oscuridad} —dijeron los ratones.

A <name> se le fue el enfado. Volvió con {pan y miel|sopa caliente y una manta}, y todos comieron hasta la noche. Desde entonces, <thing> está en la ventana, donde todo el mundo puede mirar. <Name> aprendió que un tesoro vale más cuando se comparte.

Fin.""",
        """{Había una vez|Hace muchos años había} <one> de nombre <name>, que vivía {en lo alto de una colina|en un pueblo tranquilo|en una isla pequeña}. Una noche llegó una tormenta terrible. El viento {rugía|gritaba} y la lluvia golpeaba las ventanas. <Name> ya quería irse a dormir, cuando oyó una voz muy lejos, en la oscuridad. Era <friend>, que no encontraba el camino a casa.

<Name> sintió miedo, porque la tormenta era muy grande. Pero tomó <thing>, {se puso un abrigo|se puso una bufanda} y salió. El primer golpe de viento {casi se lo llevó todo|casi apagó su valor}. El segundo fue peor. Paso a paso subió {a la colina|hasta el muro viejo}. Allí levantó <thing> y {gritó con todas sus fuerzas|cantó la canción más alta que sabía}. Durante mucho tiempo solo respondió el viento. Luego se oyó una voz, muy cerca: —¡Ya te veo! ¡Ya te veo!

De la mano volvieron a casa. {Hicieron un fuego|Bebieron leche caliente} y la tormenta pudo gritar cuanto quiso. Por la mañana el cielo estaba azul y los vecinos vinieron a oír la historia. Desde aquella noche, <thing> está sobre la puerta, para que nadie vuelva a perderse. Y <name> sabe ahora que el valor también puede ser pequeño.

Fin.""",
    ),
    "fr": (
        """{Il était une fois|Il y a longtemps, il y avait} <one> du nom de <name>. <Name> habitait {une petite maison au bord de la mer|à la lisière d'une forêt sombre|dans une vallée entre les montagnes} et n'avait qu'un seul trésor : <thing> de sa grand-mère. Mais un matin {gris|froid}, le trésor avait disparu. <Name> chercha {sous le lit|derrière la porte}, {dans le jardin|sur le toit} et même {dans le puits|dans la cheminée}. Il n'y avait rien.

« {Pourquoi pleures-tu|Qu'est-ce qui ne va pas} ? » demanda <friend>, qui passait par là. <Name> raconta tout. « {Quatre yeux voient mieux que deux|Cherchons ensemble} », dit <friend>. Ils suivirent de petites traces {à travers le champ|le long de la rivière}, jusqu'à {un arbre creux|une grotte}. Là vivait une famille de souris qui avait froid et faim, et au milieu se trouvait <thing>. « {Nous voulions seulement quelque chose de beau|Nous étions si seules dans le noir} », dirent les souris.

<Name> oublia toute sa colère. Il y eut bientôt {du pain et du miel|de la soupe chaude et une couverture} pour tout le monde, et l'on mangea ensemble jusqu'à la nuit. Depuis ce jour, <thing> reste à la fenêtre, où chacun peut regarder. <Name> avait appris qu'un trésor vaut plus quand on le partage.

Fin.""",
        """{Il était une fois|Il y a bien des années, il y avait} <one> du nom de <name>, qui habitait {en haut d'une colline|dans un village tranquille|sur une petite île}. Une nuit, une terrible tempête arriva. Le vent {hurlait|criait} et la pluie frappait les fenêtres. <Name> voulait déjà dormir, quand une voix appela, très loin dans le noir. C'était <friend>, qui ne trouvait plus son chemin.

<Name> avait peur, car la tempête était grande. Mais il fallait faire quelque chose. <Name> prit <thing>, {mit un manteau|mit une écharpe} et sortit. Le premier coup de vent fut terrible, et le deuxième encore plus. Pas à pas, <name> monta {sur la colline|jusqu'au vieux mur}, leva <thing> bien haut et {cria de toutes ses forces|chanta sa plus belle chanson}. Longtemps, il n'y eut que le vent. Puis une voix répondit, tout près : « Je te vois ! Je te vois ! »

La main dans la main, ils rentrèrent à la maison. Ils {firent un feu|burent du lait chaud}, et la tempête put crier tant qu'elle voulait. Au matin, le ciel était bleu, et les voisins vinrent écouter l'histoire. Depuis cette nuit, <thing> reste au-dessus de la porte, pour que personne ne se perde. Et <name> sait maintenant que même un petit courage suffit.

Fin.""",
    ),
    "de": (
        """{Es war einmal|Vor langer Zeit lebte} <one> mit dem Namen <name>. <Name> wohnte {in einem kleinen Haus am Meer|am Rand eines dunklen Waldes|in einem Tal zwischen hohen Bergen} und besaß nur einen einzigen Schatz: <thing> der Großmutter. Aber an einem {kalten|grauen} Morgen war der Schatz verschwunden. <Name> suchte {unter dem Bett|hinter der Tür}, {im Garten|auf dem Dach} und sogar {im Brunnen|im Schornstein}. Doch da war nichts.

„{Warum bist du so traurig|Was ist denn los}?“, fragte <friend> und blieb stehen. <Name> erzählte alles. „{Vier Augen sehen mehr als zwei|Suchen wir zusammen}“, sagte <friend>. Sie folgten kleinen Spuren {über das Feld|am Bach entlang}, bis sie zu {einem hohlen Baum|einer Höhle} kamen. Dort saß eine Familie von Mäusen, hungrig und müde, und in der Mitte lag <thing>. „{Wir wollten nur etwas Schönes haben|Wir waren so allein im Dunkeln}“, sagten die Mäuse.

Da war <name> nicht mehr böse. Bald gab es {Brot und Honig|warme Suppe und eine Decke} für alle, und sie aßen zusammen, bis es Nacht wurde. Seitdem hat der Schatz seinen Platz im Fenster, wo alle ihn sehen können. Und <name> hatte gelernt, dass ein Schatz mehr wert ist, wenn man ihn teilt. Die Mäuse aber kommen noch heute jeden Sonntag zum Essen, und dann wird gelacht und gesungen, bis der Mond über dem Dach steht.

Ende.""",
        """{Es war einmal|Vor vielen Jahren lebte} <one> mit dem Namen <name>. <Name> wohnte {oben auf einem Hügel|in einem stillen Dorf|auf einer kleinen Insel}. Eines Nachts kam ein furchtbarer Sturm. Der Wind {heulte|brüllte}, und der Regen schlug gegen die Fenster. <Name> wollte schon schlafen, da rief eine Stimme, weit weg in der Dunkelheit. Es war <friend>, ganz allein und ohne Weg nach Hause.

<Name> hatte Angst, denn der Sturm war groß. Aber etwas musste geschehen. <Name> nahm <thing>, {zog einen Mantel an|band einen Schal um} und ging hinaus. Der erste Windstoß war schlimm, und der zweite war noch schlimmer. Schritt für Schritt ging es {auf den Hügel|bis zur alten Mauer}. Dort hielt <name> <thing> hoch in die Luft und {rief so laut wie noch nie|sang das lauteste Lied der Welt}. Lange antwortete nur der Wind. Dann kam eine Stimme, ganz nah: „Ich sehe dich! Ich sehe dich!“

Hand in Hand gingen die beiden nach Hause. Sie {machten ein Feuer|tranken heiße Milch}, und der Sturm durfte schreien, so viel er wollte. Am Morgen war der Himmel blau, und die Nachbarn kamen und wollten alles hören. Seit dieser Nacht hat <thing> einen Platz über der Tür, damit niemand mehr verloren geht. Und <name> weiß jetzt: Auch ein kleiner Mut reicht weit.

Ende.""",
    ),
}


def tale(rng: random.Random, language: str) -> tuple[str, str]:
    """Return a request for a story in that language, and the story: of 150 words and more."""
    hero = rng.choice(_HEROES[language])
    article = _ARTICLES[language][hero.startswith("+")]
    noun = hero.removeprefix("+")
    slots = {
        "one": f"{article} {noun}", "name": _named(rng, hero), "friend": a_name(rng),
        "thing": rng.choice(_THINGS[language]),
    }  # fmt: skip
    asked = _ASK[language]
    dice = rng.random()
    if dice < 0.55:
        asked += _ABOUT[language]
    if 0.25 < dice < 0.40:
        asked += _CALLED[language]
    if language == "de":  # behind a preposition
        accusative, dative = ("einen", "einem") if article == "ein" else ("eine", "einer")
        slots |= {"whom": f"{accusative} {noun}", "him": f"{dative} {noun}"}
    return typed(rng, asked + _END[language], **slots), say(rng, rng.choice(_PLOTS[language]), **slots)


def _named(rng: random.Random, hero: str) -> str:
    if rng.random() < 0.4:
        return invented(rng, least=2).capitalize()
    return rng.choice(GIRLS if hero.startswith("+") else BOYS)
